#include "model/card.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 8> kTypedFields = {"format", "name",    "version",     "network",
                                                     "input",  "classes", "calibration", "threshold"};
/// The size of the largest number that is calculated with; its inverse, the smallest factor.
/// Within, no product or quotient with a 32-bit float leaves the doubles.
constexpr double kLargest = 1e6;
/// How deep objects and lists may lie in each other in a field for people: copying recurses.
constexpr int kMaxDepth = 32;
constexpr const char* kPerImageName = "per_image";
constexpr const char* kFixedName = "fixed";
constexpr const char* kInt8Name = "int8";

bool is_one_of(std::string_view key, std::span<const char* const> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// Takes the fields out of one JSON object. The first thing wrong is kept in
/// `failure`, shared by all readers of a card; what is returned then is of no meaning.
class FieldReader {
 public:
  FieldReader(const Json& object, std::string path, std::optional<Error>& failure)
      : object_(object), path_(std::move(path)), failure_(failure) {
    if (!object_.is_object()) fail(path_.empty() ? "the card" : path_, "is not an object");
  }

  FieldReader object(const char* key) const { return {field(key), name_of(key), failure_}; }

  bool has(const char* key) const { return object_.contains(key); }

  std::string text(const char* key) const {
    const Json& value = field(key);
    if (value.is_string() && !value.get_ref<const std::string&>().empty()) return value.get<std::string>();
    fail(name_of(key), "is not a text");
    return {};
  }

  int integer(const char* key, int low, int high) const {
    const Json& value = field(key);
    if (value.is_number_integer() && value >= low && value <= high) return value.get<int>();
    fail(name_of(key), "is not a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return low;
  }

  double number(const char* key) const {
    const Json& value = field(key);
    if (value.is_number() && std::abs(value.get<double>()) <= kLargest) return value.get<double>();
    fail(name_of(key), "is not a number from -1000000 to 1000000");
    return 0;
  }

  double positive_number(const char* key) const {
    const double value = number(key);
    if (!(value >= 1 / kLargest)) fail(name_of(key), "is not a number from 0.000001 to 1000000");
    return value;
  }

  std::vector<std::string> texts(const char* key) const {
    const Json& value = field(key);
    std::vector<std::string> result;
    for (const Json& element : value) {
      if (value.is_array() && element.is_string()) result.push_back(element.get<std::string>());
    }
    if (!value.is_array() || result.size() != value.size()) fail(name_of(key), "is not a list of texts");
    return result;
  }

  /// A field that this program does not know could change what the others mean.
  void allow_only(std::initializer_list<const char*> keys) const {
    for (const auto& [key, value] : object_.items()) {
      if (!is_one_of(key, keys)) fail(name_of(key), "is not known to this version of the program");
    }
  }

  void require(bool holds, const char* key, const char* otherwise) const {
    if (!holds) fail(name_of(key), otherwise);
  }

 private:
  const Json& field(const char* key) const {
    static const Json nothing;
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

  const Json& object_;
  std::string path_;
  std::optional<Error>& failure_;
};

bool nests_deeper(const Json& value, int levels) {
  return value.is_structured() &&
         (levels == 0 || std::any_of(value.begin(), value.end(), [levels](const Json& element) {
            return nests_deeper(element, levels - 1);
          }));
}

bool is_plain_file_name(const std::string& name) {
  return name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

PackageFile read_file_entry(const FieldReader& fields, std::initializer_list<const char*> allowed) {
  PackageFile file{fields.text("file"), fields.text("sha256")};
  fields.require(is_plain_file_name(file.name), "file", "is not a plain file name");
  fields.require(is_sha256(file.sha256), "sha256", "is not 64 lower-case hexadecimal digits");
  fields.allow_only(allowed);
  return file;
}

NetworkFiles read_network(const FieldReader& fields) {
  NetworkFiles network{.fp32 = read_file_entry(fields, {"file", "sha256", kInt8Name})};
  if (fields.has(kInt8Name)) {
    network.int8 = read_file_entry(fields.object(kInt8Name), {"file", "sha256"});
    fields.require(network.int8->name != network.fp32.name, kInt8Name, "is the same file");
  }
  return network;
}

Json to_json(const NetworkFiles& network) {
  Json json = {{"file", network.fp32.name}, {"sha256", network.fp32.sha256}};
  if (network.int8) json[kInt8Name] = {{"file", network.int8->name}, {"sha256", network.int8->sha256}};
  return json;
}

InputSpec read_input(const FieldReader& fields) {
  InputSpec input;
  input.width = fields.integer("width", 32, 4096);
  input.height = fields.integer("height", 32, 4096);
  const std::string normalisation = fields.text("normalisation");
  if (normalisation == kFixedName) {
    input.normalisation = Normalisation::kFixed;
    input.mean = static_cast<float>(fields.number("mean"));
    input.scale = static_cast<float>(fields.positive_number("scale"));
    fields.allow_only({"width", "height", "normalisation", "mean", "scale"});
  } else {
    fields.require(normalisation == kPerImageName, "normalisation", "is neither 'per_image' nor 'fixed'");
    fields.allow_only({"width", "height", "normalisation"});
  }
  return input;
}

}  // namespace

const char* name(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kInt8:
      return kInt8Name;
  }
  throw std::logic_error("no such precision");
}

Json to_json(const ModelCard& card) {
  Json input = {{"width", card.input.width}, {"height", card.input.height}};
  switch (card.input.normalisation) {
    case Normalisation::kPerImage:
      input["normalisation"] = kPerImageName;
      break;
    case Normalisation::kFixed:
      input["normalisation"] = kFixedName;
      input["mean"] = card.input.mean;
      input["scale"] = card.input.scale;
      break;
  }
  Json json = {
      {"format", ModelCard::kFormat},
      {"name", card.name},
      {"version", card.version},
      {"network", to_json(card.network)},
      {"input", std::move(input)},
      {"classes", card.classes},
      {"calibration",
       {{"temperature", card.calibration.temperature},
        {"slope", card.calibration.slope},
        {"intercept", card.calibration.intercept}}},
      {"threshold", card.threshold},
  };
  for (const auto& [key, value] : card.about.items()) {
    if (is_one_of(key, kTypedFields))
      throw std::invalid_argument("ModelCard::about holds '" + key + "', which is a field of its own");
    json[key] = value;
  }
  return json;
}

Result<ModelCard> card_from_json(const Json& json) {
  std::optional<Error> failure;
  const FieldReader fields(json, "", failure);
  if (failure) return *failure;

  ModelCard card;
  // First, so that a card of a newer format is refused for that and not for a difference.
  fields.integer("format", ModelCard::kFormat, ModelCard::kFormat);
  card.name = fields.text("name");
  card.version = fields.text("version");

  card.network = read_network(fields.object("network"));
  card.input = read_input(fields.object("input"));

  card.classes = fields.texts("classes");
  using Classes = std::vector<std::string>;
  fields.require(card.classes == Classes{"normal", "pneumonia"} ||
                     card.classes == Classes{"normal", "bacterial", "viral"},
                 "classes", R"(is neither ["normal", "pneumonia"] nor ["normal", "bacterial", "viral"])");

  const FieldReader calibration = fields.object("calibration");
  card.calibration.temperature = calibration.positive_number("temperature");
  card.calibration.slope = calibration.positive_number("slope");
  card.calibration.intercept = calibration.number("intercept");
  calibration.allow_only({"temperature", "slope", "intercept"});

  card.threshold = fields.number("threshold");
  fields.require(card.threshold > 0 && card.threshold < 1, "threshold", "is not between 0 and 1");

  if (failure) return *failure;
  for (const auto& [key, value] : json.items()) {
    if (is_one_of(key, kTypedFields)) continue;
    if (nests_deeper(value, kMaxDepth))
      return Error{ErrorCode::kBadModel, "model card: " + key + " is nested too deeply"};
    card.about[key] = value;
  }
  return card;
}

}  // namespace xray
