#include "serve/rest/tensorflow_codec.h"

#include <algorithm>
#include <array>
#include <utility>

#include "serve/rest/base64.h"
#include "serve/rest/request_json.h"

namespace xray {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 2> kImageNames = {"image", "image_bytes"};
constexpr std::string_view kPixels = "pixels";

Error invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

/// The text of {"b64": text}; null where `value` is anything else.
std::string* encoded(JsonValue& value) {
  auto* const members = value.as<JsonValue::Object>();
  if (members == nullptr || members->size() != 1 || members->front().name != "b64") return nullptr;
  return members->front().value.as<std::string>();
}

/// What stands for the picture or the pixels in `value`: {"image": X} -> X, X -> X.
/// kInvalidArgument for other names, and for more than one.
Result<JsonValue*> unwrap(JsonValue& value) {
  auto* const members = value.as<JsonValue::Object>();
  if (members == nullptr || encoded(value) != nullptr) return &value;
  const bool known =
      members->size() == 1 && (members->front().name == kPixels ||
                               std::ranges::find(kImageNames, members->front().name) != kImageNames.end());
  if (!known) return invalid("the inputs are image (or image_bytes) or pixels, one of them");
  const bool is_pixels = members->front().name == kPixels;
  JsonValue& inner = members->front().value;
  if (is_pixels != (inner.as<JsonNumbers>() != nullptr))
    return invalid(is_pixels ? "pixels is an array of numbers"
                             : R"(a picture is {"b64": "..."}, JPEG or PNG in base64)");
  return &inner;
}

/// Collects instances until they are one tensor.
class Batch {
 public:
  explicit Batch(TensorFlowRequest& request) : request_(request) {}

  /// One picture.
  Result<Done> add_picture(JsonValue& value) {
    std::string* const text = encoded(value);
    if (text == nullptr) return invalid(R"(a picture is {"b64": "..."}, JPEG or PNG in base64)");
    if (const auto decoded = decode_base64(*text); !decoded) return with_context(decoded.error(), "b64");
    request_.strings.push_back(std::move(*text));
    return Done{};
  }

  /// One array of pixels.
  Result<Done> add_pixels(JsonNumbers numbers) {
    if (instances_++ == 0) {
      shape_ = numbers.shape;
      request_.numbers = std::move(numbers.values);
      return Done{};
    }
    if (numbers.shape != shape_) return invalid("the pictures of one request have one size");
    request_.numbers.insert(request_.numbers.end(), numbers.values.begin(), numbers.values.end());
    return Done{};
  }

  /// All of them, in one array.
  void set_pixels(JsonNumbers numbers) {
    instances_ = numbers.shape.front();
    shape_.assign(numbers.shape.begin() + 1, numbers.shape.end());
    request_.numbers = std::move(numbers.values);
  }

  Result<Done> finish() {
    if (instances_ > 0 && !request_.strings.empty())
      return invalid("a request holds pictures or pixels, not both");
    if (instances_ > 0) {
      shape_.insert(shape_.begin(), instances_);
      request_.inputs.push_back({std::string(kPixels), DataType::kFp64, std::move(shape_),
                                 std::as_bytes(std::span(request_.numbers))});
      return Done{};
    }
    StringElements pictures;
    for (const std::string& text : request_.strings) pictures.push_back(std::as_bytes(std::span(text)));
    const auto count = static_cast<std::int64_t>(pictures.size());
    request_.inputs.push_back({"image", DataType::kBytes, {count}, std::move(pictures)});
    return Done{};
  }

 private:
  TensorFlowRequest& request_;
  std::int64_t instances_ = 0;       ///< of pixels
  std::vector<std::int64_t> shape_;  ///< of each
};

Result<Done> read_instances(JsonValue& instances, Batch& batch) {
  if (auto* const numbers = instances.as<JsonNumbers>()) {
    batch.set_pixels(std::move(*numbers));
    return Done{};
  }
  auto* const array = instances.as<JsonValue::Array>();
  if (array == nullptr) return invalid("instances is an array");
  for (JsonValue& instance : *array) {
    const auto value = unwrap(instance);
    if (!value) return value.error();
    auto* const numbers = (*value)->as<JsonNumbers>();
    const auto added =
        numbers != nullptr ? batch.add_pixels(std::move(*numbers)) : batch.add_picture(**value);
    if (!added) return added.error();
  }
  return Done{};
}

Result<Done> read_inputs(JsonValue& inputs, Batch& batch) {
  const auto found = unwrap(inputs);
  if (!found) return found.error();
  JsonValue* const value = *found;
  if (auto* const numbers = value->as<JsonNumbers>()) {
    batch.set_pixels(std::move(*numbers));
    return Done{};
  }
  auto* const array = value->as<JsonValue::Array>();
  if (array == nullptr) return batch.add_picture(*value);
  for (JsonValue& picture : *array)
    if (const auto added = batch.add_picture(picture); !added) return added.error();
  return Done{};
}

Result<Done> check_signature(JsonValue& root) {
  JsonValue* const found = root.find("signature_name");
  if (found == nullptr) return Done{};
  const auto* const name = found->as<std::string>();
  if (name == nullptr) return invalid("signature_name is a text");
  if (name->empty() || *name == kDefaultSignature || *name == kPixelSignature) return Done{};
  return Error{ErrorCode::kNotFound, "there is no such signature; there are " +
                                         std::string(kDefaultSignature) + " and " +
                                         std::string(kPixelSignature)};
}

}  // namespace

Result<TensorFlowRequest> read_tensorflow(std::string_view body) {
  auto root = parse_request_json(body);
  if (!root) return root.error();
  if (const auto known = check_signature(*root); !known) return known.error();
  JsonValue* const instances = root->find("instances");
  JsonValue* const inputs = root->find("inputs");
  if ((instances == nullptr) == (inputs == nullptr))
    return invalid(R"(the request is a JSON object with either "instances" or "inputs")");
  TensorFlowRequest request;
  request.in_rows = instances != nullptr;
  Batch batch(request);
  const auto read = request.in_rows ? read_instances(*instances, batch) : read_inputs(*inputs, batch);
  if (!read) return with_context(read.error(), request.in_rows ? "instances" : "inputs");
  if (const auto whole = batch.finish(); !whole) return whole.error();
  return request;
}

ordered_json write_tensorflow(const TensorFlowRequest& request, std::span<const OutputTensor> outputs) {
  /// By output and by row; every row is an array of one, as the shape [-1, 1] has it.
  ordered_json columns;
  ordered_json rows = ordered_json::array();
  for (const OutputTensor& output : outputs) {
    const auto add = [&](const auto& elements) {
      for (std::size_t i = 0; i < elements.size(); ++i) {
        const ordered_json value = ordered_json::array({elements[i]});
        if (request.in_rows)
          rows[i][output.name] = value;
        else
          columns[output.name].push_back(value);
      }
    };
    std::visit(add, output.elements);
  }
  if (request.in_rows) return {{"predictions", std::move(rows)}};
  return {{"outputs", std::move(columns)}};
}

}  // namespace xray
