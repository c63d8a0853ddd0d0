#include "tune/study_page.h"

#include <cmath>

#include "common/clock.h"
#include "report/page.h"
#include "tune/importance.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

Json numbers(const std::vector<const Trial*>& trials) {
  Json all = Json::array();
  for (const Trial* trial : trials) all.push_back(trial->number);
  return all;
}

/// One line per fold: {"trial", "execution", "fold", "points": [[epoch, value], ...]}.
Json curve_lines(const std::vector<CurvePoint>& curves, const std::string& figure) {
  Json lines = Json::array();
  const CurvePoint* last = nullptr;
  for (const CurvePoint& point : curves) {
    const auto value = point.figures.find(figure);
    if (value == point.figures.end() || !std::isfinite(value->second)) continue;
    if (last == nullptr || last->trial != point.trial || last->execution != point.execution ||
        last->fold != point.fold)
      lines.push_back({{"trial", point.trial},
                       {"execution", point.execution},
                       {"fold", point.fold},
                       {"points", Json::array()}});
    lines.back()["points"].push_back({point.epoch, value->second});
    last = &point;
  }
  return lines;
}

}  // namespace

Json study_json(const std::string& name, const StudySettings& settings, const Space& space,
                const std::vector<Trial>& trials, const std::vector<CurvePoint>& curves) {
  Json json = to_json(settings);
  json.erase("space");
  json["name"] = name;
  json["space"] = space.to_json();
  json["objectives"] = Json::array();
  for (const Objective& objective : settings.objectives())
    json["objectives"].push_back({{"name", objective.name}, {"maximise", objective.maximise}});
  json["trials"] = Json::array();
  for (const Trial& trial : trials) json["trials"].push_back(to_json(trial));
  json["best"] = numbers(ranked(trials, settings.objectives()));
  json["front"] = numbers(pareto_front(trials, settings.objectives()));
  json["importance"] = Json::array();
  for (const auto& [parameter, share] :
       parameter_importance(space, trials, settings.objectives().front().name))
    json["importance"].push_back({{"parameter", parameter}, {"share", share}});
  json["curves"] = curve_lines(curves, "validation_AUC");
  return json;
}

Result<Done> write_study_page(const std::filesystem::path& path, const std::string& name,
                              const StudySettings& settings, const Space& space,
                              const std::vector<Trial>& trials, const std::vector<CurvePoint>& curves) {
  const Json data = {{"kind", "study"},
                     {"folder", name},
                     {"created", rfc3339(std::chrono::system_clock::now())},
                     {"study", study_json(name, settings, space, trials, curves)}};
  return write_page(path, data);
}

}  // namespace xray
