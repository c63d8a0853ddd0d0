#include "serve/rest/request_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace xray {
namespace {

/// Takes the parser's events and builds the value from them, inside out.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  std::optional<Error> error;
  JsonValue take() { return std::move(root_); }

  bool null() override { return add(JsonValue{nullptr}); }
  bool boolean(bool value) override { return add(JsonValue{value}); }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return number(value); }
  bool string(string_t& value) override { return add(JsonValue{std::move(value)}); }
  bool binary(binary_t& /*value*/) override { return fail("binary values are not JSON"); }

  bool start_object(std::size_t /*elements*/) override {
    return start(JsonValue{JsonValue::Object()}, /*is_array=*/false);
  }
  bool key(string_t& name) override {
    auto& members = std::get<JsonValue::Object>(open_.back().value.value);
    if (std::ranges::find(members, name, &JsonMember::name) != members.end())
      return fail("a name stands twice in the same object");
    members.push_back({std::move(name), {}});
    return true;
  }
  bool end_object() override { return end(); }
  bool start_array(std::size_t /*elements*/) override {
    return start(JsonValue{JsonNumbers{{0}, {}}}, /*is_array=*/true);
  }
  bool end_array() override { return end(); }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& /*what*/) override {
    return fail("this is not JSON, as byte " + std::to_string(position) + " shows");
  }

 private:
  /// An array or object that has begun. An array is JsonNumbers until it shows to be another.
  struct Open {
    JsonValue value;
    bool is_array = false;
  };

  bool fail(std::string message, ErrorCode code = ErrorCode::kInvalidArgument) {
    if (!error) error = Error{code, std::move(message)};
    return false;
  }

  bool start(JsonValue value, bool is_array) {
    if (open_.size() == limits_.max_depth)
      return fail("the JSON is nested more than " + std::to_string(limits_.max_depth) + " deep");
    open_.push_back({std::move(value), is_array});
    return true;
  }

  bool end() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }

  bool number(double value) {
    JsonNumbers* const row =
        !open_.empty() && open_.back().is_array ? open_.back().value.as<JsonNumbers>() : nullptr;
    if (row == nullptr) return add(JsonValue{value});
    if (row->shape.size() > 1) return fail(kMixed);
    if (!count_number()) return false;
    ++row->shape[0];
    row->values.push_back(value);
    return true;
  }

  /// Rows count too: those that are empty cost time all the same.
  bool count_number() {
    if (numbers_++ < limits_.max_numbers) return true;
    return fail("the JSON holds more than " + std::to_string(limits_.max_numbers) +
                    " numbers; send pixels as binary data, or pictures as JPEG or PNG",
                ErrorCode::kTooLarge);
  }

  /// Puts a complete value where it belongs.
  bool add(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    JsonNumbers* const inner = value.as<JsonNumbers>();
    JsonNumbers* const outer = open_.back().is_array ? open_.back().value.as<JsonNumbers>() : nullptr;
    if (inner != nullptr && outer != nullptr) return add_row(*outer, std::move(*inner));
    if (values_ == limits_.max_values)
      return fail("the JSON holds more than " + std::to_string(limits_.max_values) + " values",
                  ErrorCode::kTooLarge);
    ++values_;
    if (!open_.back().is_array) {
      std::get<JsonValue::Object>(open_.back().value.value).back().value = std::move(value);
      return true;
    }
    if (outer != nullptr) {
      if (outer->shape != std::vector<std::int64_t>{0}) return fail(kMixed);
      open_.back().value.value = JsonValue::Array();
    }
    if (inner != nullptr || value.as<double>() != nullptr) return fail(kMixed);
    std::get<JsonValue::Array>(open_.back().value.value).push_back(std::move(value));
    return true;
  }

  bool add_row(JsonNumbers& outer, JsonNumbers inner) {
    if (!count_number()) return false;
    const bool is_first = outer.shape == std::vector<std::int64_t>{0};
    if (is_first) {
      outer.shape.insert(outer.shape.end(), inner.shape.begin(), inner.shape.end());
      outer.values = std::move(inner.values);
    } else {
      if (!std::equal(outer.shape.begin() + 1, outer.shape.end(), inner.shape.begin(), inner.shape.end()))
        return fail("the rows of an array of numbers differ in length");
      outer.values.insert(outer.values.end(), inner.values.begin(), inner.values.end());
    }
    ++outer.shape[0];
    return true;
  }

  static constexpr const char* kMixed = "an array holds numbers and other values";

  JsonLimits limits_;
  std::vector<Open> open_;
  JsonValue root_;
  std::size_t numbers_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

JsonValue* JsonValue::find(std::string_view name) {
  Object* const members = as<Object>();
  if (members == nullptr) return nullptr;
  const auto found = std::ranges::find(*members, name, &JsonMember::name);
  return found == members->end() ? nullptr : &found->value;
}

Result<JsonValue> parse_request_json(std::string_view text, const JsonLimits& limits) {
  Builder builder(limits);
  const bool complete = nlohmann::json::sax_parse(text, &builder);
  if (builder.error) return *builder.error;
  if (!complete) return Error{ErrorCode::kInvalidArgument, "this is not JSON"};
  return builder.take();
}

}  // namespace xray
