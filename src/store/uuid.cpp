#include "store/uuid.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace xray {

std::string make_uuid7() {
  static Uuid7Maker maker;
  return maker.make();
}

std::string Uuid7Maker::make(std::chrono::system_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  // A tick is the 48-bit time in milliseconds with a 12-bit counter behind it.
  // The counter starts in its lower half, which leaves 2048 steps before it carries into the time.
  const auto milliseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  const std::uint64_t fresh = (milliseconds << 12U) | (entropy_() & 0x7FFU);
  last_tick_ = (fresh >> 12U) > (last_tick_ >> 12U) ? fresh : last_tick_ + 1;

  const std::uint32_t random = entropy_();
  std::array<char, 37> text{};
  std::snprintf(
      text.data(), text.size(), "%08x-%04x-7%03x-%04x-%04x%08x", static_cast<unsigned>(last_tick_ >> 28U),
      static_cast<unsigned>((last_tick_ >> 12U) & 0xFFFFU), static_cast<unsigned>(last_tick_ & 0xFFFU),
      0x8000U | (random & 0x3FFFU), static_cast<unsigned>(random >> 16U), static_cast<unsigned>(entropy_()));
  return text.data();
}

std::chrono::system_clock::time_point uuid7_time(std::string_view id) {
  std::uint64_t milliseconds = 0;
  for (const std::string_view digits : {id.substr(0, 8), id.substr(9, 4)}) {
    std::uint64_t part = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), part, 16);
    milliseconds = (milliseconds << 4U * digits.size()) | part;
  }
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

std::string first_uuid7(Moment time) {
  const auto milliseconds =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.time_since_epoch().count()));
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x", static_cast<unsigned>(milliseconds >> 16U),
                static_cast<unsigned>(milliseconds & 0xFFFFU));
  return text.data();
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

}  // namespace xray
