#include "store/uuid.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <random>

namespace xray {

std::string make_uuid7(std::chrono::system_clock::time_point now) {
  static std::mutex mutex;
  static std::random_device entropy;
  static std::uint64_t last_tick = 0;

  const std::lock_guard lock(mutex);
  // A tick is the 48-bit time in milliseconds with a 12-bit counter behind it.
  // The counter starts in its lower half, which leaves 2048 steps before it carries into the time.
  const auto milliseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  const std::uint64_t fresh = (milliseconds << 12U) | (entropy() & 0x7FFU);
  last_tick = (fresh >> 12U) > (last_tick >> 12U) ? fresh : last_tick + 1;

  const std::uint32_t random = entropy();
  std::array<char, 37> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-7%03x-%04x-%04x%08x",
                static_cast<unsigned>(last_tick >> 28U), static_cast<unsigned>((last_tick >> 12U) & 0xFFFFU),
                static_cast<unsigned>(last_tick & 0xFFFU), 0x8000U | (random & 0x3FFFU),
                static_cast<unsigned>(random >> 16U), static_cast<unsigned>(entropy()));
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
