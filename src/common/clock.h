#pragma once

#include <chrono>
#include <string>

namespace xray {

/// "2026-01-31T23:59:59.123Z": RFC 3339, UTC, whole milliseconds (rounded down).
std::string rfc3339(std::chrono::system_clock::time_point time);

/// "Sat, 31 Jan 2026 23:59:59 GMT": the date of HTTP (RFC 9110, section 5.6.7).
std::string http_date(std::chrono::system_clock::time_point time);

}  // namespace xray
