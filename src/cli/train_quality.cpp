#include "cli/train_quality.h"

#include <iomanip>
#include <sstream>

#include "metrics/metrics_json.h"

namespace xray {
namespace {

std::string percent(const nlohmann::ordered_json& estimate) {
  if (estimate["value"].is_null()) return "-";
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << 100 * estimate["value"].get<double>() << " % ("
      << 100 * estimate["low"].get<double>() << " to " << 100 * estimate["high"].get<double>() << ")";
  return out.str();
}

}  // namespace

nlohmann::ordered_json quality_json(const Dataset& dataset, const std::vector<FoldScore>& scores,
                                    const std::vector<ScoredCase>& cases, double threshold,
                                    const std::optional<PlattScaling>& kind) {
  nlohmann::ordered_json json = to_json(measure(cases, threshold));
  const std::vector<FoldScore> known = of_known_kind(dataset, scores);
  if (known.empty()) return json;
  std::vector<ScoredCase> viral = viral_cases(dataset, known);
  if (kind)
    for (ScoredCase& c : viral) c.probability = apply(*kind, c.probability);
  else
    viral = cross_calibrated(viral, known);
  const nlohmann::ordered_json quality = to_json(measure(viral, 0.5));
  json["bacterial_or_viral"] = quality["accuracy"];
  json["bacterial_or_viral_ece"] = quality["ece"];
  return json;
}

std::string quality_line(const nlohmann::ordered_json& quality) {
  std::ostringstream out;
  out << quality["n"] << " films, accuracy " << percent(quality["accuracy"]) << ", sensitivity "
      << percent(quality["sensitivity"]) << ", specificity " << percent(quality["specificity"]);
  if (!quality["auc"]["value"].is_null())
    out << ", AUC " << std::fixed << std::setprecision(4) << quality["auc"]["value"].get<double>() << ", ECE "
        << quality["ece"]["value"].get<double>();
  if (quality.contains("bacterial_or_viral")) out << ", kind " << percent(quality["bacterial_or_viral"]);
  return out.str();
}

}  // namespace xray
