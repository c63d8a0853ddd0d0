#include "serve/inference/tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace xray {
namespace {

struct TypeFacts {
  const char* name;
  std::size_t size;
};
/// Of all types, in their order.
constexpr std::array kTypes = {TypeFacts{"BOOL", 1},   TypeFacts{"UINT8", 1},  TypeFacts{"UINT16", 2},
                               TypeFacts{"UINT32", 4}, TypeFacts{"UINT64", 8}, TypeFacts{"INT8", 1},
                               TypeFacts{"INT16", 2},  TypeFacts{"INT32", 4},  TypeFacts{"INT64", 8},
                               TypeFacts{"FP16", 2},   TypeFacts{"FP32", 4},   TypeFacts{"FP64", 8},
                               TypeFacts{"BF16", 2},   TypeFacts{"BYTES", 0}};

constexpr std::uint64_t kMostElements = std::uint64_t{1} << 62U;
constexpr std::size_t kLengthSize = sizeof(std::uint32_t);

static_assert(std::endian::native == std::endian::little, "raw elements are little-endian");

void append(Bytes& bytes, std::span<const std::byte> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

const char* name(DataType type) {
  return kTypes.at(static_cast<std::size_t>(type)).name;
}

std::optional<DataType> data_type_from(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &TypeFacts::name);
  if (found == kTypes.end()) return std::nullopt;
  return static_cast<DataType>(found - kTypes.begin());
}

std::size_t size_of(DataType type) {
  return kTypes.at(static_cast<std::size_t>(type)).size;
}

DataType OutputTensor::type() const {
  return std::holds_alternative<std::vector<float>>(elements) ? DataType::kFp32 : DataType::kBytes;
}

Result<std::uint64_t> element_count(std::span<const std::int64_t> shape) {
  const auto bad = [&] {
    return Error{ErrorCode::kInvalidArgument, "no tensor has the shape " + describe_shape(shape)};
  };
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) return bad();
    if (size != 0 && count > kMostElements / static_cast<std::uint64_t>(size)) return bad();
    count *= static_cast<std::uint64_t>(size);
  }
  return count;
}

std::string describe_shape(std::span<const std::int64_t> shape) {
  // A request may write a thousand dimensions; no message needs them.
  constexpr std::size_t kShown = 8;
  std::string text;
  for (const std::int64_t size : shape.first(std::min(shape.size(), kShown)))
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + (shape.size() > kShown ? ", ...]" : "]");
}

Result<StringElements> split_strings(RawElements raw, std::size_t most) {
  StringElements strings;
  while (!raw.empty()) {
    if (strings.size() == most)
      return Error{ErrorCode::kTooLarge, "there are more than " + std::to_string(most) + " strings"};
    std::uint32_t length = 0;
    if (raw.size() >= kLengthSize) std::memcpy(&length, raw.data(), kLengthSize);
    if (raw.size() < kLengthSize || raw.size() - kLengthSize < length)
      return Error{ErrorCode::kInvalidArgument,
                   "string " + std::to_string(strings.size()) + " ends before its length says"};
    strings.push_back(raw.subspan(kLengthSize, length));
    raw = raw.subspan(kLengthSize + length);
  }
  return strings;
}

Bytes raw_elements(const OutputTensor& tensor) {
  Bytes bytes;
  if (const auto* numbers = std::get_if<std::vector<float>>(&tensor.elements)) {
    append(bytes, std::as_bytes(std::span(*numbers)));
    return bytes;
  }
  for (const std::string& text : std::get<std::vector<std::string>>(tensor.elements)) {
    const auto length = static_cast<std::uint32_t>(text.size());
    append(bytes, std::as_bytes(std::span(&length, 1)));
    append(bytes, std::as_bytes(std::span(text)));
  }
  return bytes;
}

}  // namespace xray
