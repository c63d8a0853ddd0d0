#include "fuzz_target.h"
#include "serve/rest/tensorflow_codec.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto request = read_tensorflow(fuzz::as_text(data, size));
  if (!request) {
    const ErrorCode code = request.error().code;
    fuzz::require(code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge ||
                  code == ErrorCode::kNotFound);
    return 0;
  }
  fuzz::require(request->inputs.size() == 1);
  const InputTensor& input = request->inputs.front();
  const auto count = element_count(input.shape);
  fuzz::require(count.ok());
  if (const auto* raw = std::get_if<RawElements>(&input.elements))
    fuzz::require(raw->size() == *count * sizeof(double) && request->strings.empty());
  else
    fuzz::require(std::get<StringElements>(input.elements).size() == *count && request->numbers.empty());
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {to_bytes(R"({"instances":[{"b64":"iVBORw=="},{"image_bytes":{"b64":"/9j/"}}]})"),
          to_bytes(
              R"({"signature_name":"serving_default","instances":[{"pixels":[[0,1],[2,3]]},[[4,5],[6,7]]]})"),
          to_bytes(R"({"inputs":{"image":[{"b64":"iVBORw=="}]}})"),
          to_bytes(R"({"inputs":[[[0,128.5],[2e2,3]]]})"), to_bytes(R"({"instances":[]})")};
}
