#include "serve/grpc/infer_message.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <cstring>

namespace xray {
namespace {

using inference::ModelInferRequest;

constexpr std::size_t kBudget = 64U << 10U;

Result<std::unique_ptr<const InferMessage>> parse(const std::string& bytes, std::size_t budget = kBudget) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return InferMessage::parse(stream, budget);
}

/// A request of one input, without elements.
ModelInferRequest request_of(const std::string& datatype, const std::vector<std::int64_t>& shape) {
  ModelInferRequest request;
  auto& input = *request.add_inputs();
  input.set_name("pixels");
  input.set_datatype(datatype);
  input.mutable_shape()->Add(shape.begin(), shape.end());
  return request;
}

/// The elements of the one input as T.
template <typename T>
std::vector<T> elements(const InferQuestion& question) {
  const RawElements raw = std::get<RawElements>(question.inputs.front().elements);
  std::vector<T> values(raw.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

ErrorCode refusal(const ModelInferRequest& request) {
  const auto question = read_question(request);
  return question ? ErrorCode::kInternal : question.error().code;
}

TEST(InferMessage, GivesBackWhatWasWritten) {
  ModelInferRequest request = request_of("FP32", {1, 2});
  request.set_model_name("xray");
  request.set_id("7");
  request.add_raw_input_contents(std::string(8, '\1'));
  const auto message = parse(request.SerializeAsString());
  ASSERT_TRUE(message.ok()) << message.error().message;
  EXPECT_EQ((*message)->get().SerializeAsString(), request.SerializeAsString());
}

TEST(InferMessage, RefusesWhatIsNoMessage) {
  EXPECT_EQ(parse("a picture, say").error().code, ErrorCode::kInvalidArgument);
  const std::string whole = request_of("FP32", {1, 2}).SerializeAsString();
  EXPECT_EQ(parse(whole.substr(0, whole.size() - 1)).error().code, ErrorCode::kInvalidArgument);
}

TEST(InferMessage, RefusesMessagesThatGrowBeyondTheBudget) {
  // Two bytes each on the wire: an input, an output, raw contents; all empty.
  for (const char* entry : {"\x2A", "\x32", "\x3A"}) {
    std::string many;
    for (int i = 0; i < 2000; ++i) many += std::string(entry) + '\0';
    EXPECT_EQ(parse(many).error().code, ErrorCode::kTooLarge);
    EXPECT_TRUE(parse(many, 4U << 20U).ok());
  }
  // Bytes that become numbers of eight.
  ModelInferRequest request = request_of("INT64", {20'000});
  for (int i = 0; i < 20'000; ++i) request.mutable_inputs(0)->mutable_contents()->add_int64_contents(1);
  EXPECT_EQ(parse(request.SerializeAsString()).error().code, ErrorCode::kTooLarge);
}

TEST(InferMessage, CountsNoneOfThePictures) {
  ModelInferRequest request = request_of("BYTES", {1});
  request.add_raw_input_contents(std::string(100 * kBudget, 'x'));
  EXPECT_TRUE(parse(request.SerializeAsString()).ok());
}

TEST(ReadQuestion, BorrowsRawContents) {
  ModelInferRequest request = request_of("UINT8", {1, 1, 3});
  request.add_raw_input_contents("abc");
  request.add_outputs()->set_name("verdict");
  const auto question = read_question(request);
  ASSERT_TRUE(question.ok()) << question.error().message;
  const InputTensor& tensor = question->inputs.front();
  EXPECT_EQ(tensor.name, "pixels");
  EXPECT_EQ(tensor.type, DataType::kUint8);
  EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{1, 1, 3}));
  EXPECT_EQ(static_cast<const void*>(std::get<RawElements>(tensor.elements).data()),
            static_cast<const void*>(request.raw_input_contents(0).data()));
  EXPECT_EQ(question->outputs, std::vector<std::string>{"verdict"});
}

TEST(ReadQuestion, NarrowsListsToTheirType) {
  ModelInferRequest unsigned_list = request_of("UINT8", {3});
  for (const std::uint32_t level : {0U, 100U, 255U})
    unsigned_list.mutable_inputs(0)->mutable_contents()->add_uint_contents(level);
  EXPECT_EQ(elements<std::uint8_t>(read_question(unsigned_list).value()),
            (std::vector<std::uint8_t>{0, 100, 255}));
  unsigned_list.mutable_inputs(0)->set_datatype("UINT16");
  EXPECT_EQ(elements<std::uint16_t>(read_question(unsigned_list).value()),
            (std::vector<std::uint16_t>{0, 100, 255}));
  unsigned_list.mutable_inputs(0)->set_datatype("UINT32");
  EXPECT_EQ(elements<std::uint32_t>(read_question(unsigned_list).value()),
            (std::vector<std::uint32_t>{0, 100, 255}));
  unsigned_list.mutable_inputs(0)->set_datatype("UINT8");
  unsigned_list.mutable_inputs(0)->mutable_contents()->add_uint_contents(256);
  EXPECT_EQ(refusal(unsigned_list), ErrorCode::kInvalidArgument);

  ModelInferRequest signed_list = request_of("INT16", {2});
  for (const std::int32_t level : {-32'768, 7})
    signed_list.mutable_inputs(0)->mutable_contents()->add_int_contents(level);
  EXPECT_EQ(elements<std::int16_t>(read_question(signed_list).value()),
            (std::vector<std::int16_t>{-32'768, 7}));
  signed_list.mutable_inputs(0)->set_datatype("INT8");
  EXPECT_EQ(refusal(signed_list), ErrorCode::kInvalidArgument);
}

TEST(ReadQuestion, TakesFloatsAndStringsFromTheirLists) {
  ModelInferRequest floats = request_of("FP32", {2});
  floats.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1.5F);
  floats.mutable_inputs(0)->mutable_contents()->add_fp32_contents(-2);
  EXPECT_EQ(elements<float>(read_question(floats).value()), (std::vector<float>{1.5F, -2}));

  ModelInferRequest strings = request_of("BYTES", {2});
  strings.mutable_inputs(0)->mutable_contents()->add_bytes_contents("first");
  strings.mutable_inputs(0)->mutable_contents()->add_bytes_contents("");
  const auto question = read_question(strings);
  const auto& read = std::get<StringElements>(question.value().inputs.front().elements);
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].size(), 5U);
  EXPECT_TRUE(read[1].empty());
}

TEST(ReadQuestion, RefusesContentsInTheWrongPlace) {
  ModelInferRequest wrong_list = request_of("FP32", {1});
  wrong_list.mutable_inputs(0)->mutable_contents()->add_fp64_contents(1);
  EXPECT_EQ(refusal(wrong_list), ErrorCode::kInvalidArgument);

  ModelInferRequest both = request_of("FP32", {1});
  both.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  both.add_raw_input_contents("1234");
  EXPECT_EQ(refusal(both), ErrorCode::kInvalidArgument);

  ModelInferRequest more_raw = request_of("FP32", {1});
  more_raw.add_raw_input_contents("1234");
  more_raw.add_raw_input_contents("1234");
  EXPECT_EQ(refusal(more_raw), ErrorCode::kInvalidArgument);

  EXPECT_EQ(refusal(request_of("FP16", {1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal(request_of("STRING", {1})), ErrorCode::kInvalidArgument);
}

TEST(ReadQuestion, RefusesParametersThatChangeTheQuestion) {
  ModelInferRequest elsewhere = request_of("UINT8", {1});
  (*elsewhere.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_EQ(refusal(elsewhere), ErrorCode::kUnsupported);

  ModelInferRequest classes = request_of("UINT8", {1});
  (*classes.add_outputs()->mutable_parameters())["classification"].set_int64_param(2);
  EXPECT_EQ(refusal(classes), ErrorCode::kUnsupported);
}

TEST(WriteAnswer, WritesElementsRaw) {
  inference::ModelInferResponse response;
  write_answer({{"normal", {2, 1}, std::vector<float>{0.25F, 0.5F}},
                {"verdict", {1, 1}, std::vector<std::string>{"x"}}},
               response);
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "normal");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_EQ(response.outputs(0).shape(0), 2);
  EXPECT_EQ(response.outputs(1).datatype(), "BYTES");
  EXPECT_EQ(response.raw_output_contents(0).size(), 8U);
  EXPECT_EQ(response.raw_output_contents(1), std::string("\1\0\0\0x", 5));
}

}  // namespace
}  // namespace xray
