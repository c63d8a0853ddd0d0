#include <string>

#include "fuzz_target.h"
#include "serve/rest/open_inference_codec.h"

using namespace xray;

namespace {

/// Whether `elements` lie inside the body, or in what the request itself holds.
bool has_room(const OpenInferenceRequest& request, std::span<const std::byte> body, RawElements elements) {
  const auto inside = [&](std::span<const std::byte> whole) {
    return elements.data() >= whole.data() &&
           elements.data() + elements.size() <= whole.data() + whole.size();
  };
  bool found = elements.empty() || inside(body);
  for (const Bytes& bytes : request.numbers) found = found || inside(bytes);
  for (const std::string& text : request.strings) found = found || inside(std::as_bytes(std::span(text)));
  return found;
}

}  // namespace

/// The first line is the header that tells the size of the JSON; without one there is none.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  const std::size_t line = text.find('\n');
  std::optional<std::string_view> json_size;
  if (line != std::string_view::npos && line > 0) json_size = text.substr(0, line);
  const auto body = std::as_bytes(std::span(text.substr(line == std::string_view::npos ? 0 : line + 1)));
  const auto request = read_open_inference(body, json_size);
  if (!request) {
    const ErrorCode code = request.error().code;
    fuzz::require(code == ErrorCode::kInvalidArgument || code == ErrorCode::kTooLarge ||
                  code == ErrorCode::kUnsupported);
    return 0;
  }
  fuzz::require(request->outputs.size() == request->binary.size());
  for (const InputTensor& input : request->inputs) {
    if (const auto* raw = std::get_if<RawElements>(&input.elements)) {
      fuzz::require(has_room(*request, body, *raw));
      if (input.type != DataType::kBytes) continue;
      if (const auto strings = split_strings(*raw, 64))
        for (const auto& string : *strings) fuzz::require(has_room(*request, body, string));
    } else {
      fuzz::require(input.type == DataType::kBytes);
      for (const auto& string : std::get<StringElements>(input.elements))
        fuzz::require(has_room(*request, body, string));
    }
  }
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  const std::string binary =
      R"({"id":"7","inputs":[{"name":"image","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}}],)"
      R"("outputs":[{"name":"normal","parameters":{"binary_data":true}}]})";
  const std::string_view two_strings("\3\0\0\0abc\0\0\0\0", 11);
  return {
      to_bytes("\n"
               R"({"inputs":[{"name":"image","shape":[1],"datatype":"BYTES","data":["iVBORw=="]}],)"
               R"("parameters":{"binary_data_output":true}})"),
      to_bytes(
          "\n"
          R"({"inputs":[{"name":"pixels","shape":[1,2,2],"datatype":"UINT8","data":[[[0,1],[2,255]]]}]})"),
      to_bytes("\n"
               R"({"inputs":[{"name":"pixels","shape":[1,1,2],"datatype":"FP32","data":[0.5,2e2]}]})"),
      to_bytes(std::to_string(binary.size()) + "\n" + binary + std::string(two_strings)),
      to_bytes("0\nwhole picture")};
}
