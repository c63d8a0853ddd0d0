#include "fuzz_target.h"
#include "serve/models/labels.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Labels> labels = parse_labels(fuzz::as_text(data, size));
  if (!labels) {
    fuzz::require(labels.error().code == ErrorCode::kInvalidArgument && !labels.error().message.empty());
    return 0;
  }
  for (const auto& [model, versions] : *labels) {
    fuzz::require(!model.empty());
    for (const auto& [label, version] : versions) fuzz::require(!label.empty() && !version.empty());
  }
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {to_bytes(R"({"pediatric": {"stable": "2.1.0", "canary": "2.2.0"}, "adult": {"stable": "1"}})"),
          to_bytes(R"({"a": {}})"), to_bytes(R"([[[[{"a": {"b": {"c": null}}}]]]])")};
}
