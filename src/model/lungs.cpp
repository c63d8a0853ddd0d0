#include "model/lungs.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "model/field_reader.h"

namespace xray {
namespace {

constexpr const char* kFile = "lungs.json";
/// No more kinds of film than these have their template.
constexpr std::size_t kMostTemplates = 8;

nlohmann::ordered_json to_json(const LungGate& gate) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  nlohmann::ordered_json json = {{"threshold", gate.threshold}};
  for (std::size_t i = 0; i < kFieldFacts.size(); ++i)
    json["facts"][kFieldFacts[i]] = {{"mean", gate.mean[i]}, {"scale", gate.scale[i]}};
  json["weights"] = gate.weights;
  for (const FieldTemplate& known : gate.templates) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::size_t cell = 0; cell < known.size(); ++cell) {
      if (cell % kTemplateSide == 0) rows.push_back("");
      const auto level = static_cast<std::size_t>(std::lround(known[cell] * 255));
      rows.back().get_ref<std::string&>() += {kDigits[level / 16], kDigits[level % 16]};
    }
    json["templates"].push_back(std::move(rows));
  }
  return json;
}

FieldTemplate read_template(const nlohmann::ordered_json& rows, bool& good) {
  FieldTemplate known{};
  good = good && rows.is_array() && rows.size() == kTemplateSide;
  for (std::size_t y = 0; good && y < kTemplateSide; ++y) {
    const std::string row = rows[y].is_string() ? rows[y].get<std::string>() : "";
    good = row.size() == 2 * static_cast<std::size_t>(kTemplateSide);
    for (std::size_t x = 0; good && x < kTemplateSide; ++x) {
      unsigned level = 0;
      const char* const digits = row.data() + 2 * x;
      const auto [end, error] = std::from_chars(digits, digits + 2, level, 16);
      good = error == std::errc() && end == digits + 2;
      known[y * kTemplateSide + x] = static_cast<float>(level) / 255;
    }
  }
  return known;
}

LungGate read_gate(const FieldReader& fields) {
  LungGate gate;
  gate.threshold = fields.number("threshold");
  const FieldReader facts = fields.object("facts");
  for (std::size_t i = 0; i < kFieldFacts.size(); ++i) {
    const FieldReader fact = facts.object(kFieldFacts[i]);
    gate.mean[i] = fact.number("mean");
    gate.scale[i] = fact.positive_number("scale");
  }
  gate.weights = fields.numbers("weights");
  fields.require(gate.weights.size() == kGateTerms, "weights", "are not as many as the gate has terms");
  const nlohmann::ordered_json& templates = fields.list("templates");
  bool good = !templates.empty() && templates.size() <= kMostTemplates;
  for (std::size_t i = 0; good && i < templates.size(); ++i)
    gate.templates.push_back(read_template(templates[i], good));
  fields.require(good, "templates", "are not 1 to 8 lists of 16 rows of 32 hexadecimal digits");
  fields.allow_only({"threshold", "facts", "weights", "templates"});
  return gate;
}

}  // namespace

nlohmann::ordered_json to_json(const LungModel& model) {
  nlohmann::ordered_json json = {{"network", to_json(model.network)}, {"input", to_json(model.input)}};
  if (model.gate) json["gate"] = to_json(*model.gate);
  for (const auto& [key, value] : model.about.items()) json[key] = value;
  return json;
}

Result<LungModel> lung_model_from_json(const nlohmann::ordered_json& json) {
  std::optional<Error> failure;
  const FieldReader fields(json, "lungs", failure);
  if (failure) return *failure;
  LungModel model;
  model.network = read_network(fields.object("network"));
  model.input = read_input(fields.object("input"));
  if (fields.has("gate")) model.gate = read_gate(fields.object("gate"));
  if (failure) return *failure;
  for (const auto& [key, value] : json.items())
    if (key != "network" && key != "input" && key != "gate") model.about[key] = value;
  return model;
}

Result<Done> write_lung_model(const std::filesystem::path& directory, LungModel model,
                              const NetworkBytes& network) {
  describe_network(model.network, network);
  return write_part(directory, kFile, to_json(model), model.network, network);
}

Result<LungModel> load_lung_model(const std::filesystem::path& directory) {
  const auto json = read_part(directory, kFile);
  if (!json) return json.error();
  auto model = lung_model_from_json(*json);
  if (!model) return model.error();
  if (auto checked = check_network_files(directory, model->network); !checked) return checked.error();
  return model;
}

}  // namespace xray
