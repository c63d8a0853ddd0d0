#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include "fuzz_target.h"
#include "serve/grpc/infer_message.h"
#include "serve/inference/pixels.h"

namespace {

using namespace xray;
using fuzz::require;

constexpr std::size_t kBudget = 32U << 10U;
constexpr std::size_t kStrings = 16;

/// Some bytes of every element, so that a sanitizer sees each span.
void touch(RawElements raw) {
  if (!raw.empty()) require(raw.front() == raw.front() && raw.back() == raw.back());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const google::protobuf::LogSilencer quiet;
  google::protobuf::io::ArrayInputStream stream(data, static_cast<int>(size));
  const auto message = InferMessage::parse(stream, kBudget);
  if (!message) {
    require(message.error().code == ErrorCode::kInvalidArgument ||
            message.error().code == ErrorCode::kTooLarge);
    return 0;
  }
  const auto question = read_question((*message)->get());
  if (!question) {
    require(question.error().code == ErrorCode::kInvalidArgument ||
            question.error().code == ErrorCode::kUnsupported);
    return 0;
  }
  require(question->inputs.size() == static_cast<std::size_t>((*message)->get().inputs_size()));
  for (const InputTensor& tensor : question->inputs) {
    if (const auto* strings = std::get_if<StringElements>(&tensor.elements)) {
      require(tensor.type == DataType::kBytes);
      for (const auto text : *strings) touch(text);
      continue;
    }
    const RawElements raw = std::get<RawElements>(tensor.elements);
    touch(raw);
    if (tensor.type == DataType::kBytes) {
      if (const auto split = split_strings(raw, kStrings))
        for (const auto text : *split) touch(text);
    } else if (const auto pixels = PixelTensor::open(tensor, {.max_pixels = 4096})) {
      if (const auto picture = pixels->picture(pixels->pictures() - 1)) require(picture->width() > 0);
    }
  }
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  inference::ModelInferRequest raw;
  raw.set_model_name("xray");
  raw.set_model_version("1");
  raw.set_id("7");
  (*raw.mutable_parameters())["priority"].set_int64_param(1);
  auto& image = *raw.add_inputs();
  image.set_name("image");
  image.set_datatype("BYTES");
  image.add_shape(1);
  raw.add_raw_input_contents(std::string("\3\0\0\0abc", 7));
  raw.add_outputs()->set_name("verdict");
  std::vector<Bytes> seeds = {to_bytes(raw.SerializeAsString())};

  inference::ModelInferRequest lists;
  const auto add = [&](const char* type) {
    auto& input = *lists.add_inputs();
    input.set_name("pixels");
    input.set_datatype(type);
    for (const int length : {1, 2, 2}) input.add_shape(length);
    return input.mutable_contents();
  };
  auto* bytes = add("UINT8");
  auto* words = add("INT16");
  auto* wide = add("INT64");
  auto* floats = add("FP32");
  auto* doubles = add("FP64");
  for (const int level : {0, 100, 200, 255}) {
    bytes->add_uint_contents(static_cast<std::uint32_t>(level));
    words->add_int_contents(level);
    wide->add_int64_contents(level);
    floats->add_fp32_contents(static_cast<float>(level));
    doubles->add_fp64_contents(level);
  }
  add("BYTES")->add_bytes_contents("abc");
  seeds.push_back(to_bytes(lists.SerializeAsString()));
  return seeds;
}
