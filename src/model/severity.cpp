#include "model/severity.h"

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include "model/field_reader.h"

namespace xray {
namespace {

constexpr const char* kFile = "severity.json";

nlohmann::ordered_json to_json(const SeverityMargins& margins) {
  return {{"score", margins.score},
          {"score_change", margins.score_change},
          {"zone_change", margins.zone_change},
          {"extent_change", margins.extent_change}};
}

SeverityMargins read_margins(const FieldReader& fields) {
  SeverityMargins margins;
  margins.score = fields.positive_number("score");
  margins.score_change = fields.positive_number("score_change");
  margins.zone_change = fields.positive_number("zone_change");
  margins.extent_change = fields.positive_number("extent_change");
  fields.allow_only({"score", "score_change", "zone_change", "extent_change"});
  return margins;
}

}  // namespace

nlohmann::ordered_json to_json(const SeverityModel& model) {
  nlohmann::ordered_json json = {{"network", to_json(model.network)},
                                 {"input", to_json(model.input)},
                                 {"opaque", model.opaque},
                                 {"hardly_normal", model.hardly_normal},
                                 {"hardly_normal_zone", model.hardly_normal_zone},
                                 {"margins", to_json(model.margins)}};
  for (const auto& [key, value] : model.about.items()) json[key] = value;
  return json;
}

Result<SeverityModel> severity_model_from_json(const nlohmann::ordered_json& json) {
  std::optional<Error> failure;
  const FieldReader fields(json, "severity", failure);
  if (failure) return *failure;
  SeverityModel model;
  model.network = read_network(fields.object("network"));
  model.input = read_input(fields.object("input"));
  fields.require(model.input.framing == Framing::kLungs, "input", "is not framed by lungs");
  model.opaque = fields.positive_number("opaque");
  fields.require(model.opaque < 1, "opaque", "is not below 1");
  model.hardly_normal = fields.positive_number("hardly_normal");
  model.hardly_normal_zone = fields.positive_number("hardly_normal_zone");
  model.margins = read_margins(fields.object("margins"));
  if (failure) return *failure;
  constexpr std::array kTyped = {"network", "input", "opaque", "hardly_normal", "hardly_normal_zone",
                                 "margins"};
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(kTyped, key) == kTyped.end()) model.about[key] = value;
  return model;
}

Result<Done> write_severity_model(const std::filesystem::path& directory, SeverityModel model,
                                  const NetworkBytes& network) {
  describe_network(model.network, network);
  return write_part(directory, kFile, to_json(model), model.network, network);
}

Result<std::optional<SeverityModel>> find_severity_model(const std::filesystem::path& package) {
  std::error_code ignored;
  if (!std::filesystem::exists(package / kSeverityFolder, ignored)) return std::optional<SeverityModel>();
  auto model = load_severity_model(package / kSeverityFolder);
  if (!model) return with_context(model.error(), kSeverityFolder);
  return std::optional(std::move(*model));
}

Result<SeverityModel> load_severity_model(const std::filesystem::path& directory) {
  const auto json = read_part(directory, kFile);
  if (!json) return json.error();
  auto model = severity_model_from_json(*json);
  if (!model) return model.error();
  if (auto checked = check_network_files(directory, model->network); !checked) return checked.error();
  return model;
}

}  // namespace xray
