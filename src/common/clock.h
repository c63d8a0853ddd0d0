#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace xray {

/// "2026-01-31T23:59:59.123Z": RFC 3339, UTC, whole milliseconds (rounded down).
std::string rfc3339(std::chrono::system_clock::time_point time);

/// "Sat, 31 Jan 2026 23:59:59 GMT": the date of HTTP (RFC 9110, section 5.6.7).
std::string http_date(std::chrono::system_clock::time_point time);

/// Whole seconds since 1970.
std::int64_t unix_seconds();

/// A point in time to the millisecond, in any year from 0 to 9999.
using Moment = std::chrono::sys_time<std::chrono::milliseconds>;

/// A point in time, and whether it was told as a day, of which it is the first moment.
struct ReadTime {
  Moment time;
  bool is_day = false;
};

/// "2026-01-31" (UTC), or RFC 3339 with seconds and a zone: "2026-01-31T23:59:59.5Z", "...+01:00". Nothing
/// for any other text. Fractions are rounded up to milliseconds.
std::optional<ReadTime> parse_time(std::string_view text);

}  // namespace xray
