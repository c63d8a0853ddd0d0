#include "serve/rest/open_inference_codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "serve/inference/pixels.h"
#include "serve/rest/base64.h"
#include "serve/rest/request_json.h"

namespace xray {
namespace {

/// Integers up to which every double is exact.
constexpr double kExact = 9'007'199'254'740'992.0;

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

/// The member `name`; null where it is missing or null, as many clients write what they have not.
JsonValue* given(JsonValue& object, std::string_view name) {
  JsonValue* const found = object.find(name);
  return found == nullptr || found->as<std::nullptr_t>() != nullptr ? nullptr : found;
}

/// The same as a T, null where it is missing; kInvalidArgument where it is another thing.
template <typename T>
Result<T*> member(JsonValue& object, const char* name, const char* kind) {
  JsonValue* const found = given(object, name);
  if (found == nullptr) return static_cast<T*>(nullptr);
  T* const value = found->as<T>();
  if (value == nullptr) return invalid(std::string(name) + " is " + kind);
  return value;
}

/// The same, where it must not be missing.
template <typename T>
Result<T*> required(JsonValue& object, const char* name, const char* kind) {
  Result<T*> found = member<T>(object, name, kind);
  if (found && *found == nullptr) return invalid(std::string(name) + " is missing; it is " + kind);
  return found;
}

/// The parameter `name` of a request, input or output; its "parameters" may be missing.
template <typename T>
Result<T*> parameter(JsonValue& object, const char* name, const char* kind) {
  JsonValue* const parameters = given(object, "parameters");
  if (parameters == nullptr) return static_cast<T*>(nullptr);
  if (parameters->as<JsonValue::Object>() == nullptr) return invalid("parameters is an object");
  return member<T>(*parameters, name, kind);
}

Result<Done> refuse_extensions(JsonValue& object) {
  JsonValue* const parameters = given(object, "parameters");
  if (parameters == nullptr) return Done{};
  for (const char* name : {"shared_memory_region", "classification"})
    if (parameters->find(name) != nullptr)
      return Error{ErrorCode::kUnsupported, std::string(name) + " is not offered here"};
  return Done{};
}

/// `values` as elements of type T.
template <typename T>
Result<Bytes> convert(std::span<const double> values) {
  Bytes bytes(values.size() * sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    if constexpr (std::is_integral_v<T>) {
      const double lowest = std::max(-kExact, static_cast<double>(std::numeric_limits<T>::lowest()));
      const double highest = std::min(kExact, static_cast<double>(std::numeric_limits<T>::max()));
      if (value != std::trunc(value) || value < lowest || value > highest)
        return invalid("data holds a number that its datatype has not");
    }
    const T element = static_cast<T>(value);
    std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
  return bytes;
}

Result<Done> collect_strings(JsonValue& data, std::vector<std::string>& strings) {
  if (auto* const text = data.as<std::string>()) {
    strings.push_back(std::move(*text));
    return Done{};
  }
  auto* const array = data.as<JsonValue::Array>();
  if (array == nullptr) return invalid("data of BYTES is strings of base64");
  for (JsonValue& element : *array)
    if (const auto collected = collect_strings(element, strings); !collected) return collected.error();
  return Done{};
}

/// Makes the elements of `tensor` from those of the JSON, which `request` comes to hold.
Result<Done> read_json_elements(JsonValue& data, InputTensor& tensor, OpenInferenceRequest& request) {
  if (tensor.type == DataType::kBytes) {
    std::vector<std::string> strings;
    // [] is an array of no numbers, too.
    const auto* const none = data.as<JsonNumbers>();
    if (none == nullptr || !none->values.empty())
      if (const auto collected = collect_strings(data, strings); !collected) return collected.error();
    StringElements elements;
    for (std::size_t i = 0; i < strings.size(); ++i) {
      if (const auto decoded = decode_base64(strings[i]); !decoded)
        return with_context(decoded.error(), "data[" + std::to_string(i) + "]");
      elements.push_back(std::as_bytes(std::span(request.strings.emplace_back(std::move(strings[i])))));
    }
    tensor.elements = std::move(elements);
    return Done{};
  }
  const auto* const numbers = data.as<JsonNumbers>();
  if (numbers == nullptr) return invalid("data is an array of numbers");
  if (numbers->shape.size() > 1 && numbers->shape != tensor.shape)
    return invalid("data has the shape " + describe_shape(numbers->shape) + ", not " +
                   describe_shape(tensor.shape));
  auto converted = with_pixel_type(
      tensor.type, [&](auto zero) -> Result<Bytes> { return convert<decltype(zero)>(numbers->values); },
      unread_pixel_type(tensor.type));
  if (!converted) return converted.error();
  tensor.elements = RawElements(request.numbers.emplace_back(std::move(*converted)));
  return Done{};
}

Result<std::vector<std::int64_t>> read_shape(JsonValue& input) {
  const auto numbers = required<JsonNumbers>(input, "shape", "an array of sizes");
  if (!numbers) return numbers.error();
  std::vector<std::int64_t> shape;
  for (const double size : (*numbers)->values) {
    if (size != std::trunc(size) || size < 0 || size > kExact) return invalid("shape is an array of sizes");
    shape.push_back(static_cast<std::int64_t>(size));
  }
  if ((*numbers)->shape.size() != 1) return invalid("shape is an array of sizes");
  return shape;
}

/// One of the inputs; takes its binary data from the front of `binary`.
Result<InputTensor> read_input(JsonValue& input, RawElements& binary, OpenInferenceRequest& request) {
  if (const auto plain = refuse_extensions(input); !plain) return plain.error();
  const auto name = required<std::string>(input, "name", "a text");
  if (!name) return name.error();
  const auto type_name = required<std::string>(input, "datatype", "a text");
  if (!type_name) return type_name.error();
  const auto type = data_type_from(**type_name);
  if (!type) return invalid("datatype is one like BYTES, UINT8 or FP32");
  auto shape = read_shape(input);
  if (!shape) return shape.error();
  InputTensor tensor{**name, *type, std::move(*shape), {}};

  const auto content = parameter<std::string>(input, "content_type", "a text");
  if (!content) return content.error();
  if (*content != nullptr && tensor.type == DataType::kBytes && **content != "base64")
    return Error{ErrorCode::kUnsupported, "of content types base64 is read alone"};
  const auto size = parameter<double>(input, "binary_data_size", "a number of bytes");
  if (!size) return size.error();
  JsonValue* const data = given(input, "data");
  if ((*size == nullptr) == (data == nullptr))
    return invalid("an input has either data or the parameter binary_data_size");
  if (data != nullptr) {
    const auto read = read_json_elements(*data, tensor, request);
    if (!read) return read.error();
    return tensor;
  }
  if (**size != std::trunc(**size) || **size < 0 || **size > static_cast<double>(binary.size()))
    return invalid("binary_data_size is more than the bytes that came behind the JSON");
  const auto bytes = static_cast<std::size_t>(**size);
  tensor.elements = binary.first(bytes);
  binary = binary.subspan(bytes);
  return tensor;
}

/// The elements of the array `name`, none where it is missing.
Result<JsonValue::Array*> objects(JsonValue& root, const char* name) {
  static JsonValue::Array none;
  JsonValue* const found = given(root, name);
  const auto* const empty = found == nullptr ? nullptr : found->as<JsonNumbers>();
  if (found == nullptr || (empty != nullptr && empty->shape == std::vector<std::int64_t>{0})) return &none;
  auto* const array = found->as<JsonValue::Array>();
  const bool all_objects = array != nullptr && std::ranges::all_of(*array, [](JsonValue& value) {
                             return value.as<JsonValue::Object>() != nullptr;
                           });
  if (!all_objects) return invalid(std::string(name) + " is an array of objects");
  return array;
}

Result<Done> read_outputs(JsonValue& root, OpenInferenceRequest& request) {
  const auto all_binary = parameter<bool>(root, "binary_data_output", "true or false");
  if (!all_binary) return all_binary.error();
  request.all_binary = *all_binary != nullptr && **all_binary;
  const auto outputs = objects(root, "outputs");
  if (!outputs) return outputs.error();
  for (JsonValue& output : **outputs) {
    if (const auto plain = refuse_extensions(output); !plain) return plain.error();
    const auto name = required<std::string>(output, "name", "a text");
    if (!name) return with_context(name.error(), "outputs");
    const auto binary = parameter<bool>(output, "binary_data", "true or false");
    if (!binary) return with_context(binary.error(), "outputs");
    request.outputs.push_back(**name);
    request.binary.push_back(*binary == nullptr ? request.all_binary : **binary);
  }
  return Done{};
}

Result<std::size_t> read_json_size(std::string_view text, std::size_t body) {
  std::size_t size = 0;
  const char* const end = std::to_address(text.end());
  const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, size);
  if (error != std::errc() || stop != end || size > body)
    return invalid("Inference-Header-Content-Length is the number of bytes of JSON in the body");
  return size;
}

}  // namespace

Result<OpenInferenceRequest> read_open_inference(std::span<const std::byte> body,
                                                 std::optional<std::string_view> json_size) {
  const auto size = json_size ? read_json_size(*json_size, body.size()) : Result(body.size());
  if (!size) return size.error();
  OpenInferenceRequest request;
  if (json_size && *size == 0) {
    request.inputs.push_back({"image", DataType::kBytes, {1}, StringElements{body}});
    request.all_binary = true;
    return request;
  }
  auto root = parse_request_json({reinterpret_cast<const char*>(body.data()), *size});
  if (!root) return root.error();
  if (root->as<JsonValue::Object>() == nullptr) return invalid("the request is a JSON object");
  const auto id = member<std::string>(*root, "id", "a text");
  if (!id) return id.error();
  if (*id != nullptr) request.id = **id;
  const auto inputs = objects(*root, "inputs");
  if (!inputs) return inputs.error();
  RawElements binary = body.subspan(*size);
  for (JsonValue& input : **inputs) {
    auto tensor = read_input(input, binary, request);
    if (!tensor) return with_context(tensor.error(), "inputs");
    request.inputs.push_back(std::move(*tensor));
  }
  if (!binary.empty()) return invalid("more bytes came behind the JSON than binary_data_size tells");
  if (const auto outputs = read_outputs(*root, request); !outputs) return outputs.error();
  return request;
}

OpenInferenceAnswer write_open_inference(const OpenInferenceRequest& request, std::string_view model_name,
                                         std::string_view model_version,
                                         std::span<const OutputTensor> outputs) {
  nlohmann::ordered_json json = {{"model_name", model_name}, {"model_version", model_version}};
  if (request.id) json["id"] = *request.id;
  json["outputs"] = nlohmann::ordered_json::array();
  Bytes binary;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const OutputTensor& output = outputs[i];
    nlohmann::ordered_json told = {
        {"name", output.name}, {"datatype", name(output.type())}, {"shape", output.shape}};
    if (request.outputs.empty() ? request.all_binary : request.binary.at(i)) {
      const Bytes elements = raw_elements(output);
      told["parameters"] = {{"binary_data_size", elements.size()}};
      binary.insert(binary.end(), elements.begin(), elements.end());
    } else {
      std::visit([&](const auto& elements) { told["data"] = elements; }, output.elements);
    }
    json["outputs"].push_back(std::move(told));
  }
  OpenInferenceAnswer answer{json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), 0};
  answer.json_size = answer.body.size();
  answer.body.append(reinterpret_cast<const char*>(binary.data()), binary.size());
  return answer;
}

}  // namespace xray
