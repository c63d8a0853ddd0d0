#include "diagnose/severity.h"

#include <algorithm>

#include "common/rounding.h"

namespace xray {
namespace {

constexpr double kModerateFrom = 8;
constexpr double kSevereFrom = 12;

}  // namespace

const char* name(Grade grade) {
  switch (grade) {
    case Grade::kMild:
      return "mild";
    case Grade::kModerate:
      return "moderate";
    case Grade::kSevere:
      return "severe";
  }
  return "";
}

Grade grade_of(double score) {
  if (score < kModerateFrom) return Grade::kMild;
  return score < kSevereFrom ? Grade::kModerate : Grade::kSevere;
}

std::string_view zone_place(std::size_t zone) {
  constexpr std::array<std::string_view, kZones> kPlaces = {"right upper", "right middle", "right lower",
                                                            "left upper",  "left middle",  "left lower"};
  return kPlaces[zone];
}

Severity severity_of(const SeverityModel& model, const OpacityMap& map, const ZoneMap& zones) {
  return severity_of(model, opacity_in_zones(map, zones), zones);
}

Severity severity_of(const SeverityModel& model, const std::vector<float>& opacity, const ZoneMap& zones) {
  Severity severity;
  severity.margins = model.margins;
  std::array<double, kZones> cells{};
  std::array<double, kZones> opaque{};
  for (std::size_t cell = 0; cell < opacity.size(); ++cell) {
    if (zones.zone[cell] == 0) continue;
    const std::size_t zone = zones.zone[cell] - 1U;
    cells[zone] += 1;
    // In part where it is near that level, so that grain does not flicker between none and all.
    opaque[zone] += std::clamp(static_cast<double>(opacity[cell]) / model.opaque - 0.5, 0.0, 1.0);
    severity.zones[zone].score += kFullZoneScore * static_cast<double>(opacity[cell]);
  }
  const auto share = [&](std::size_t first, std::size_t last) {
    double of = 0;
    double in = 0;
    for (std::size_t zone = first; zone < last; ++zone) {
      of += cells[zone];
      in += opaque[zone];
    }
    return of > 0 ? 100 * in / of : 0;
  };
  for (std::size_t zone = 0; zone < kZones; ++zone) {
    severity.zones[zone].score /= std::max(cells[zone], 1.0);
    severity.zones[zone].extent = share(zone, zone + 1);
    severity.score += severity.zones[zone].score;
  }
  severity.extent = share(0, kZones);
  severity.right_extent = share(0, kZones / 2);
  severity.left_extent = share(kZones / 2, kZones);
  severity.low = std::max(0.0, severity.score - model.margins.score);
  severity.high = std::min(kFullScore, severity.score + model.margins.score);
  return severity;
}

bool is_hardly_normal(const SeverityModel& model, const Severity& severity) {
  return severity.score >= model.hardly_normal ||
         std::ranges::any_of(severity.zones, [&](const ZoneSeverity& zone) {
           return zone.score >= model.hardly_normal_zone;
         });
}

nlohmann::ordered_json to_json(const Severity& severity) {
  return {{"extent", to_tenths(severity.extent)},
          {"right", to_tenths(severity.right_extent)},
          {"left", to_tenths(severity.left_extent)},
          {"score", to_tenths(severity.score)},
          {"grade", name(severity.grade())},
          {"interval", {to_tenths(severity.low), to_tenths(severity.high)}}};
}

nlohmann::ordered_json zones_json(const Severity& severity) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (std::size_t zone = 0; zone < kZones; ++zone)
    json.push_back({{"zone", kZoneNames[zone]},
                    {"place", zone_place(zone)},
                    {"extent", to_tenths(severity.zones[zone].extent)},
                    {"score", to_tenths(severity.zones[zone].score)}});
  return json;
}

}  // namespace xray
