#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/file.h"
#include "common/result.h"

namespace xray {

/// Types of a tensor's elements, those of the Open Inference Protocol.
enum class DataType {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBf16,
  kBytes,  ///< strings of any bytes, each of its own length
};
/// "UINT8", "FP32", "BYTES".
const char* name(DataType type);
std::optional<DataType> data_type_from(std::string_view name);
/// Bytes of an element; 0 for kBytes.
std::size_t size_of(DataType type);

/// Elements of a tensor: row-major, little-endian, nothing between them; strings follow each
/// other, each behind its length as an unsigned 32-bit number.
using RawElements = std::span<const std::byte>;
/// The elements of a kBytes tensor one by one.
using StringElements = std::vector<std::span<const std::byte>>;

/// A tensor as it comes in. Borrows its elements.
struct InputTensor {
  std::string name;
  DataType type = DataType::kBytes;
  std::vector<std::int64_t> shape;
  std::variant<RawElements, StringElements> elements;  ///< StringElements for kBytes only
};

/// A tensor as it goes out.
struct OutputTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::variant<std::vector<float>, std::vector<std::string>> elements;

  DataType type() const;  ///< kFp32 or kBytes
};

/// How many elements `shape` has; 1 for none. kInvalidArgument for negative sizes and more than 2^62.
Result<std::uint64_t> element_count(std::span<const std::int64_t> shape);

/// "[1, 224, 224]"; -1 for any size.
std::string describe_shape(std::span<const std::int64_t> shape);

/// The strings of RawElements of kBytes, which keep pointing into `raw`. kInvalidArgument where
/// they end early, kTooLarge for more than `most`.
Result<StringElements> split_strings(RawElements raw, std::size_t most);

/// The elements as RawElements.
Bytes raw_elements(const OutputTensor& tensor);

}  // namespace xray
