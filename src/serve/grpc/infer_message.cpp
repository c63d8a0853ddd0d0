#include "serve/grpc/infer_message.h"

#include <google/protobuf/io/coded_stream.h>

#include <array>
#include <new>
#include <span>
#include <utility>

namespace xray {
namespace {

using inference::InferTensorContents;
using inference::ModelInferRequest;

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

/// The bytes of a list whose elements are as wide as the tensor's.
template <typename List>
RawElements borrow(const List& list) {
  return std::as_bytes(std::span(list.data(), static_cast<std::size_t>(list.size())));
}

RawElements borrow(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// The elements of `list` as T. kInvalidArgument where one is none.
template <typename T, typename List>
Result<RawElements> narrow(const List& list, std::deque<Bytes>& converted) {
  Bytes& bytes = converted.emplace_back(static_cast<std::size_t>(list.size()) * sizeof(T));
  auto* out = bytes.data();
  for (const auto wide : list) {
    const auto element = static_cast<T>(wide);
    if (element != wide) return invalid(std::to_string(wide) + " is out of its type's range");
    for (const std::byte byte : std::as_bytes(std::span(&element, 1))) *out++ = byte;
  }
  return RawElements(bytes);
}

/// Elements of all lists together.
std::size_t count_all(const InferTensorContents& contents) {
  const auto size = [](const auto& list) { return static_cast<std::size_t>(list.size()); };
  return size(contents.bool_contents()) + size(contents.int_contents()) + size(contents.int64_contents()) +
         size(contents.uint_contents()) + size(contents.uint64_contents()) + size(contents.fp32_contents()) +
         size(contents.fp64_contents()) + size(contents.bytes_contents());
}

Result<RawElements> read_numbers(const InferTensorContents& contents, DataType type,
                                 std::deque<Bytes>& converted) {
  switch (type) {
    case DataType::kBool:
      return borrow(contents.bool_contents());
    case DataType::kUint8:
      return narrow<std::uint8_t>(contents.uint_contents(), converted);
    case DataType::kUint16:
      return narrow<std::uint16_t>(contents.uint_contents(), converted);
    case DataType::kUint32:
      return borrow(contents.uint_contents());
    case DataType::kUint64:
      return borrow(contents.uint64_contents());
    case DataType::kInt8:
      return narrow<std::int8_t>(contents.int_contents(), converted);
    case DataType::kInt16:
      return narrow<std::int16_t>(contents.int_contents(), converted);
    case DataType::kInt32:
      return borrow(contents.int_contents());
    case DataType::kInt64:
      return borrow(contents.int64_contents());
    case DataType::kFp32:
      return borrow(contents.fp32_contents());
    case DataType::kFp64:
      return borrow(contents.fp64_contents());
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kBytes:
      break;
  }
  return invalid(std::string(name(type)) + " has no list of its own; it comes as raw contents");
}

Result<Done> read_contents(const InferTensorContents& contents, std::deque<Bytes>& converted,
                           InputTensor& tensor) {
  std::size_t count = 0;
  if (tensor.type == DataType::kBytes) {
    StringElements strings;
    strings.reserve(static_cast<std::size_t>(contents.bytes_contents_size()));
    for (const std::string& text : contents.bytes_contents()) strings.push_back(borrow(text));
    count = strings.size();
    tensor.elements = std::move(strings);
  } else {
    const Result<RawElements> numbers = read_numbers(contents, tensor.type, converted);
    if (!numbers) return numbers.error();
    count = numbers->size() / size_of(tensor.type);
    tensor.elements = *numbers;
  }
  if (count == count_all(contents)) return Done{};
  return invalid(std::string("there are contents of another type than ") + name(tensor.type));
}

/// Parameters that change where elements lie or what they mean; to leave them out silently
/// would answer another question.
template <typename Parameters>
Result<Done> check_parameters(const Parameters& parameters) {
  constexpr std::array kUnsupported = {"shared_memory_region", "classification"};
  for (const char* name : kUnsupported)
    if (parameters.contains(name))
      return Error{ErrorCode::kUnsupported, std::string("the parameter ") + name + " is not supported"};
  return Done{};
}

}  // namespace

Result<std::unique_ptr<const InferMessage>> InferMessage::parse(
    google::protobuf::io::ZeroCopyInputStream& bytes, std::size_t budget) {
  std::unique_ptr<InferMessage> parsed(new InferMessage(budget));
  try {
    parsed->message_ = google::protobuf::Arena::CreateMessage<ModelInferRequest>(&parsed->arena_.get());
    if (!parsed->message_->ParseFromZeroCopyStream(&bytes))
      return invalid("the message is no ModelInferRequest");
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kTooLarge, "the message has too many parts; raw_input_contents take the least"};
  }
  return std::unique_ptr<const InferMessage>(std::move(parsed));
}

Result<InferQuestion> read_question(const ModelInferRequest& request) {
  const int raws = request.raw_input_contents_size();
  if (raws != 0 && raws != request.inputs_size())
    return invalid("there are " + std::to_string(request.inputs_size()) + " inputs, but " +
                   std::to_string(raws) + " raw_input_contents");
  InferQuestion question;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const ModelInferRequest::InferInputTensor& input = request.inputs(i);
    const std::string where = "inputs[" + std::to_string(i) + "]";
    if (const auto known = check_parameters(input.parameters()); !known)
      return with_context(known.error(), where);
    const std::optional<DataType> type = data_type_from(input.datatype());
    if (!type) return invalid(where + ": there is no such datatype");
    InputTensor& tensor = question.inputs.emplace_back();
    tensor.name = input.name();
    tensor.type = *type;
    tensor.shape.assign(input.shape().begin(), input.shape().end());
    if (raws == 0) {
      const auto read = read_contents(input.contents(), question.converted, tensor);
      if (!read) return with_context(read.error(), where);
    } else if (count_all(input.contents()) != 0) {
      return invalid(where + ": contents and raw_input_contents exclude each other");
    } else {
      tensor.elements = borrow(request.raw_input_contents(i));
    }
  }
  for (const auto& output : request.outputs()) {
    if (const auto known = check_parameters(output.parameters()); !known)
      return with_context(known.error(), "outputs");
    question.outputs.push_back(output.name());
  }
  return question;
}

void write_answer(const std::vector<OutputTensor>& tensors, inference::ModelInferResponse& response) {
  for (const OutputTensor& tensor : tensors) {
    auto& output = *response.add_outputs();
    output.set_name(tensor.name);
    output.set_datatype(name(tensor.type()));
    output.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
    const Bytes raw = raw_elements(tensor);
    response.add_raw_output_contents(raw.data(), raw.size());
  }
}

}  // namespace xray
