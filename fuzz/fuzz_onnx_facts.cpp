// What is looked for in a foreign ONNX file before a reader gets it.
#include "fuzz_target.h"
#include "model/onnx_facts.h"
#include "support/tiny_package.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto facts = onnx_facts(std::as_bytes(std::span(data, size)));
  fuzz::require(facts.ok() || facts.error().code == ErrorCode::kBadModel);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {to_bytes(test::tiny_network())};
}
