#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xray {

/// Where a request belongs among programs (W3C Trace Context, level 1): the whole errand, and this
/// program's part of it. Identifiers are lower-case hexadecimal digits, never all zeros.
struct TraceContext {
  std::string trace_id;   ///< 32 digits: the errand, the same in every program
  std::string span_id;    ///< 16 digits: this part of it
  std::string parent_id;  ///< 16 digits: the caller's part; empty where the errand begins here
  bool sampled = true;    ///< whether whoever began it asks for it to be recorded
};

/// A traceparent field as the caller sent it: its span is the parent of ours. Nothing where it is
/// malformed: not of version 00 in exactly 55 characters, upper case, an identifier of zeros,
/// version ff. Of a version above 00 the first four parts are taken, as the recommendation has it.
struct TraceParent {
  std::string trace_id;
  std::string parent_id;
  bool sampled = false;
};
std::optional<TraceParent> parse_traceparent(std::string_view field);

/// A part of the caller's errand, or of a new one where there is no caller. Thread-safe.
TraceContext begin_span(const std::optional<TraceParent>& caller);

/// The field that names this part to others: version 00. Flags other than "sampled" are not passed on.
std::string to_traceparent(const TraceContext& trace);

}  // namespace xray
