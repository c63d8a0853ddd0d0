#include "model/card.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "model/field_reader.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 11> kTypedFields = {"format",    "name",      "lungs",   "version",
                                                      "network",   "input",     "classes", "calibration",
                                                      "threshold", "undecided", "imported"};
/// How deep objects and lists may lie in each other in a field for people: copying recurses.
constexpr int kMaxDepth = 32;

bool is_typed(const std::string& key) {
  return std::find(kTypedFields.begin(), kTypedFields.end(), key) != kTypedFields.end();
}

bool nests_deeper(const Json& value, int levels) {
  return value.is_structured() &&
         (levels == 0 || std::any_of(value.begin(), value.end(), [levels](const Json& element) {
            return nests_deeper(element, levels - 1);
          }));
}

}  // namespace

Json to_json(const ModelCard& card) {
  Json json = {
      {"format", ModelCard::kFormat},
      {"name", card.name},
      {"version", card.version},
      {"network", to_json(card.network)},
      {"input", to_json(card.input)},
      {"classes", card.classes},
      {"calibration",
       {{"temperature", card.calibration.temperature},
        {"slope", card.calibration.slope},
        {"intercept", card.calibration.intercept}}},
      {"threshold", card.threshold},
  };
  if (card.classes.size() == 3)
    json["calibration"]["kind"] = {{"slope", card.calibration.kind_slope},
                                   {"intercept", card.calibration.kind_intercept}};
  if (card.undecided.high > card.undecided.low)
    json["undecided"] = {{"low", card.undecided.low}, {"high", card.undecided.high}};
  if (const auto& from = card.imported; from)
    json["imported"] = {{"source", from->source}, {"format", from->format}, {"sha256", from->sha256}};
  if (card.lungs) json["lungs"] = to_json(*card.lungs);
  for (const auto& [key, value] : card.about.items()) {
    if (is_typed(key))
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

  if (json.contains("lungs")) {
    if (nests_deeper(json["lungs"], kMaxDepth))
      return Error{ErrorCode::kBadModel, "model card: lungs is nested too deeply"};
    auto lungs = lung_model_from_json(json["lungs"]);
    if (!lungs) return lungs.error();
    card.lungs = std::move(*lungs);
  }
  fields.require((card.input.framing == Framing::kLungs) == card.lungs.has_value(), "lungs",
                 "and an input framed by lungs do not come together");

  card.classes = fields.texts("classes");
  using Classes = std::vector<std::string>;
  fields.require(card.classes == Classes{"normal", "pneumonia"} ||
                     card.classes == Classes{"normal", "bacterial", "viral"},
                 "classes", R"(is neither ["normal", "pneumonia"] nor ["normal", "bacterial", "viral"])");

  const FieldReader calibration = fields.object("calibration");
  card.calibration.temperature = calibration.positive_number("temperature");
  card.calibration.slope = calibration.positive_number("slope");
  card.calibration.intercept = calibration.number("intercept");
  // Cards written before kinds were calibrated have none.
  if (calibration.has("kind")) {
    const FieldReader kind = calibration.object("kind");
    card.calibration.kind_slope = kind.positive_number("slope");
    card.calibration.kind_intercept = kind.number("intercept");
    kind.allow_only({"slope", "intercept"});
  }
  calibration.allow_only({"temperature", "slope", "intercept", "kind"});

  card.threshold = fields.number("threshold");
  fields.require(card.threshold > 0 && card.threshold < 1, "threshold", "is not between 0 and 1");

  if (json.contains("undecided")) {
    const FieldReader undecided = fields.object("undecided");
    card.undecided = {undecided.number("low"), undecided.number("high")};
    undecided.allow_only({"low", "high"});
    fields.require(0 <= card.undecided.low && card.undecided.low <= card.threshold &&
                       card.threshold <= card.undecided.high && card.undecided.high <= 1,
                   "undecided", "does not lie around the threshold within 0 and 1");
  }

  if (json.contains("imported")) {
    const FieldReader from = fields.object("imported");
    card.imported = {from.text("source"), from.text("format"), from.text("sha256")};
    from.allow_only({"source", "format", "sha256"});
  }

  if (failure) return *failure;
  for (const auto& [key, value] : json.items()) {
    if (is_typed(key)) continue;
    if (nests_deeper(value, kMaxDepth))
      return Error{ErrorCode::kBadModel, "model card: " + key + " is nested too deeply"};
    card.about[key] = value;
  }
  return card;
}

}  // namespace xray
