#include "fuzz_target.h"
#include "serve/log/trace_context.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parent = parse_traceparent(fuzz::as_text(data, size));
  if (!parent) return 0;
  const TraceContext trace = begin_span(parent);
  const auto again = parse_traceparent(to_traceparent(trace));
  fuzz::require(again && again->trace_id == parent->trace_id && again->parent_id == trace.span_id &&
                again->sampled == parent->sampled);
  fuzz::require((parent->trace_id + parent->parent_id).find_first_not_of("0123456789abcdef") ==
                std::string::npos);
  fuzz::require(parent->trace_id.size() == 32 && parent->parent_id.size() == 16);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {to_bytes("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
          to_bytes("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more")};
}
