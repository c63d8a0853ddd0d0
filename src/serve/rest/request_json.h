#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/result.h"

namespace xray {

struct JsonMember;

/// A rectangular array of numbers, nested or not, row-major. [] is one of shape [0].
struct JsonNumbers {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
};

/// A value of the JSON that inference requests are written in: as JSON has it, but a
/// picture written as an array takes eight bytes a number.
struct JsonValue {
  using Array = std::vector<JsonValue>;    ///< not of numbers alone, and not empty
  using Object = std::vector<JsonMember>;  ///< no name twice
  std::variant<std::nullptr_t, bool, double, std::string, JsonNumbers, Array, Object> value;

  /// The member called `name`; null where there is none, or this is no object.
  JsonValue* find(std::string_view name);

  /// The value as a T; null where it is another.
  template <typename T>
  T* as() {
    return std::get_if<T>(&value);
  }
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// What the JSON of one request may hold.
struct JsonLimits {
  std::size_t max_numbers = std::size_t{1} << 24U;  ///< in arrays, all together, rows counted too
  std::size_t max_values = 4096;                    ///< besides those
  std::size_t max_depth = 16;
};

/// kInvalidArgument for what is no JSON (RFC 8259), arrays in which numbers and other
/// values or rows of several lengths are mixed, names that come twice and more depth;
/// kTooLarge for more numbers or values.
Result<JsonValue> parse_request_json(std::string_view text, const JsonLimits& limits = {});

}  // namespace xray
