#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <string_view>

#include "common/clock.h"

namespace xray {

/// Makes UUIDs version 7 (RFC 9562, section 5.7). Thread-safe.
class Uuid7Maker {
 public:
  /// For the moment `now`: lower case, and greater than every one it made before, also within a
  /// millisecond and when the clock steps back (section 6.2, method 1).
  std::string make(std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

 private:
  std::mutex mutex_;
  std::random_device entropy_;
  std::uint64_t last_tick_ = 0;
};

/// By the one maker of this process.
std::string make_uuid7();

/// The time that such an id carries: when it was made, or a little later where the clock stepped back.
std::chrono::system_clock::time_point uuid7_time(std::string_view id);

/// What all ids of `time` and later are greater than or equal to, and all earlier ones less than.
std::string first_uuid7(Moment time);

/// Whether `text` has the form of a UUID, in lower case: 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text);

}  // namespace xray
