#include "common/clock.h"

#include <array>
#include <cstdio>

namespace xray {
namespace {

/// A point in time taken apart, in UTC.
struct Civil {
  std::chrono::year_month_day date;
  std::chrono::weekday weekday;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> time;
};

Civil civil(std::chrono::system_clock::time_point point) {
  const auto midnight = std::chrono::floor<std::chrono::days>(point);
  return {std::chrono::year_month_day(midnight), std::chrono::weekday(midnight),
          std::chrono::hh_mm_ss(std::chrono::floor<std::chrono::milliseconds>(point - midnight))};
}

template <typename... Args>
std::string format(const char* pattern, Args... args) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, args...);
  return text.data();
}

}  // namespace

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const Civil c = civil(time);
  return format("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(c.date.year()),
                static_cast<unsigned>(c.date.month()), static_cast<unsigned>(c.date.day()),
                static_cast<int>(c.time.hours().count()), static_cast<int>(c.time.minutes().count()),
                static_cast<int>(c.time.seconds().count()), static_cast<int>(c.time.subseconds().count()));
}

std::string http_date(std::chrono::system_clock::time_point time) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Civil c = civil(time);
  return format("%s, %02u %s %04d %02d:%02d:%02d GMT", kDays.at(c.weekday.c_encoding()),
                static_cast<unsigned>(c.date.day()), kMonths.at(static_cast<unsigned>(c.date.month()) - 1),
                static_cast<int>(c.date.year()), static_cast<int>(c.time.hours().count()),
                static_cast<int>(c.time.minutes().count()), static_cast<int>(c.time.seconds().count()));
}

}  // namespace xray
