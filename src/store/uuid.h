#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace xray {

/// A UUID version 7 (RFC 9562, section 5.7) for the moment `now`: lower case, and
/// greater than every one this process made before, also within a millisecond
/// and when the clock steps back (section 6.2, method 1). Thread-safe.
std::string make_uuid7(std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

/// Whether `text` has the form of a UUID, in lower case: 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text);

}  // namespace xray
