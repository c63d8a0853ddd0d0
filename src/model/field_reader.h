#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "model/network_files.h"
#include "preprocess/preprocess.h"

namespace xray {

/// The size of the largest number that is calculated with; its inverse, the smallest factor.
/// Within, no product or quotient with a 32-bit float leaves the doubles.
constexpr double kLargestNumber = 1e6;
/// Takes the fields out of one JSON object of a model card. The first thing wrong is
/// kept in `failure` (kBadModel), shared by all readers of a card; what is returned
/// then is of no meaning. The object must outlive its reader.
class FieldReader {
 public:
  FieldReader(const nlohmann::ordered_json& object, std::string path, std::optional<Error>& failure)
      : object_(object), path_(std::move(path)), failure_(failure) {
    if (!object_.is_object()) fail(path_.empty() ? "the card" : path_, "is not an object");
  }

  FieldReader object(const char* key) const { return {field(key), name_of(key), failure_}; }

  bool has(const char* key) const { return object_.contains(key); }

  std::string text(const char* key) const {
    const nlohmann::ordered_json& value = field(key);
    if (value.is_string() && !value.get_ref<const std::string&>().empty()) return value.get<std::string>();
    fail(name_of(key), "is not a text");
    return {};
  }

  int integer(const char* key, int low, int high) const {
    const nlohmann::ordered_json& value = field(key);
    if (value.is_number_integer() && value >= low && value <= high) return value.get<int>();
    fail(name_of(key), "is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return low;
  }

  double number(const char* key) const {
    const nlohmann::ordered_json& value = field(key);
    if (value.is_number() && std::abs(value.get<double>()) <= kLargestNumber) return value.get<double>();
    fail(name_of(key), "is not a number from -1000000 to 1000000");
    return 0;
  }

  double positive_number(const char* key) const {
    const double value = number(key);
    if (!(value >= 1 / kLargestNumber)) fail(name_of(key), "is not a number from 0.000001 to 1000000");
    return value;
  }

  std::vector<std::string> texts(const char* key) const {
    const nlohmann::ordered_json& value = field(key);
    std::vector<std::string> result;
    for (const nlohmann::ordered_json& element : value) {
      if (value.is_array() && element.is_string()) result.push_back(element.get<std::string>());
    }
    if (!value.is_array() || result.size() != value.size()) fail(name_of(key), "is not a list of texts");
    return result;
  }

  std::vector<double> numbers(const char* key) const {
    const nlohmann::ordered_json& value = list(key);
    std::vector<double> result;
    for (const nlohmann::ordered_json& element : value)
      if (element.is_number() && std::abs(element.get<double>()) <= kLargestNumber)
        result.push_back(element.get<double>());
    if (result.size() != value.size())
      fail(name_of(key), "is not a list of numbers from -1000000 to 1000000");
    return result;
  }

  /// An empty list where it is none.
  const nlohmann::ordered_json& list(const char* key) const {
    static const nlohmann::ordered_json empty = nlohmann::ordered_json::array();
    const nlohmann::ordered_json& value = field(key);
    if (value.is_array()) return value;
    fail(name_of(key), "is not a list");
    return empty;
  }

  /// A field that this program does not know could change what the others mean.
  void allow_only(std::initializer_list<const char*> keys) const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(keys.begin(), keys.end(), std::string_view(key)) == keys.end())
        fail(name_of(key), "is not known to this version of the program");
    }
  }

  void require(bool holds, const char* key, const char* otherwise) const {
    if (!holds) fail(name_of(key), otherwise);
  }

 private:
  const nlohmann::ordered_json& field(const char* key) const {
    static const nlohmann::ordered_json nothing;
    const auto found = object_.find(key);
    if (found != object_.end()) return *found;
    fail(name_of(key), "is missing");
    return nothing;
  }

  std::string name_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }

  void fail(const std::string& field, const std::string& problem) const {
    if (!failure_) failure_ = Error{ErrorCode::kBadModel, "model card: " + field + " " + problem};
  }

  const nlohmann::ordered_json& object_;
  std::string path_;
  std::optional<Error>& failure_;
};

/// "network": {"file", "sha256", "weights": {"file", "sha256"}, "int8": {"file", "sha256"}}, the last
/// two where there are any.
NetworkFiles read_network(const FieldReader& fields);
nlohmann::ordered_json to_json(const NetworkFiles& network);

/// "input": {"width", "height", "normalisation", ...}.
InputSpec read_input(const FieldReader& fields);
nlohmann::ordered_json to_json(const InputSpec& input);

}  // namespace xray
