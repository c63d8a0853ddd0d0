#include "common/clock.h"

#include <algorithm>
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

namespace {

/// Takes fixed fields off the front of a text; once one is not there, it has failed for good.
class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {}

  /// Exactly so many digits.
  int number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = i < text_.size() ? text_[i] : ' ';
      if (c < '0' || c > '9') ok_ = false;
      value = ok_ ? value * 10 + (c - '0') : 0;
    }
    text_.remove_prefix(std::min(digits, text_.size()));
    return value;
  }
  /// One of these signs, or 0.
  char sign(std::string_view any) {
    const char c = text_.empty() ? '\0' : text_.front();
    if (c == '\0' || any.find(c) == std::string_view::npos) ok_ = false;
    if (ok_) text_.remove_prefix(1);
    return ok_ ? c : '\0';
  }
  bool starts_with(char c) const { return text_.starts_with(c); }
  bool starts_with_digit() const { return !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; }
  bool at_end() const { return text_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view text_;
  bool ok_ = true;
};

/// ".5": to milliseconds, rounded up, so that times of milliseconds compare with it as they should.
std::chrono::milliseconds fraction(Fields& fields) {
  int value = fields.number(1);
  int digits = 1;
  bool more = false;
  for (; fields.starts_with_digit(); ++digits) {
    const int digit = fields.number(1);
    if (digits < 3)
      value = value * 10 + digit;
    else
      more = more || digit != 0;
  }
  for (; digits < 3; ++digits) value *= 10;
  return std::chrono::milliseconds(value + (more ? 1 : 0));
}

}  // namespace

std::optional<ReadTime> parse_time(std::string_view text) {
  using namespace std::chrono;
  Fields fields(text);
  const year_month_day date = [&] {
    const int y = fields.number(4);
    fields.sign("-");
    const int m = fields.number(2);
    fields.sign("-");
    return year_month_day(year(y), month(static_cast<unsigned>(m)),
                          day(static_cast<unsigned>(fields.number(2))));
  }();
  if (!fields.ok() || !date.ok()) return std::nullopt;
  const auto midnight = sys_days(date);
  if (fields.at_end()) return ReadTime{midnight, true};
  fields.sign("Tt ");
  const int h = fields.number(2);
  fields.sign(":");
  const int m = fields.number(2);
  fields.sign(":");
  const int s = fields.number(2);
  milliseconds part{0};
  if (fields.starts_with('.')) {
    fields.sign(".");
    part = fraction(fields);
  }
  const char zone = fields.sign("Zz+-");
  minutes offset{0};
  if (zone == '+' || zone == '-') {
    const int zone_h = fields.number(2);
    fields.sign(":");
    const int zone_m = fields.number(2);
    if (zone_h > 23 || zone_m > 59) return std::nullopt;
    offset = (zone == '-' ? -1 : 1) * (hours(zone_h) + minutes(zone_m));
  }
  // A leap second is the first of the next minute.
  if (!fields.ok() || !fields.at_end() || h > 23 || m > 59 || s > 60) return std::nullopt;
  return ReadTime{midnight + hours(h) + minutes(m) + seconds(s) + part - offset};
}

std::int64_t unix_seconds() {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

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
