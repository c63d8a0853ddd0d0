#include "serve/http/models_api.h"

#include <string_view>

#include "common/rounding.h"

namespace xray {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const ModelStatus& status, const Catalogue& catalogue) {
  ordered_json json;
  if (!status.name.empty()) json = {{"name", status.name}, {"version", status.version}};
  if (!status.package.empty()) json["package"] = status.package;
  const ServedModel& primary = *catalogue.models.front();
  json["state"] = name(status.state);
  json["primary"] = status.state == ModelState::kServing && status.name == primary.name &&
                    status.version == primary.version;
  json["labels"] = ordered_json::array();
  if (const auto labels = catalogue.labels.find(status.name); labels != catalogue.labels.end())
    for (const auto& [label, version] : labels->second)
      if (version == status.version) json["labels"].push_back(label);
  if (!status.reason.empty()) json["reason"] = status.reason;
  return json;
}

ordered_json to_json(const ShadowCounts& counts) {
  return {{"primary", counts.primary},   {"shadow", counts.shadow},
          {"taken", counts.taken},       {"dropped", counts.dropped},
          {"compared", counts.compared}, {"agreed", counts.agreed},
          {"failed", counts.failed},     {"mean_difference", to_hundredths(counts.mean_difference())}};
}

}  // namespace

ModelsApi::ModelsApi(const ModelSet& models, const Shadow* shadow) : models_(models), shadow_(shadow) {}

std::vector<Route> ModelsApi::routes() {
  return {
      {"GET", "/api/v1/model", Permission::kRead, Lane::kAtOnce, 0,
       [this](const Request&, std::string_view) { return card(); }},
      {"GET", "/api/v1/models", Permission::kRead, Lane::kAtOnce, 0,
       [this](const Request&, std::string_view) { return list(); }},
  };
}

Response ModelsApi::card() const {
  return json_response(200, models_.primary()->card);
}

Response ModelsApi::list() const {
  const auto catalogue = models_.catalogue();
  ordered_json json = {{"canary_share", models_.canary_share()}, {"models", ordered_json::array()}};
  for (const ModelStatus& status : catalogue->statuses) json["models"].push_back(to_json(status, *catalogue));
  if (shadow_ != nullptr) json["shadow"] = to_json(shadow_->snapshot());
  return json_response(200, json);
}

}  // namespace xray
