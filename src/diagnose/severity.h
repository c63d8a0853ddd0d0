#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "model/severity.h"
#include "preprocess/lung_zones.h"

namespace xray {

/// How severe it looks, by the Brixia score: median highest scores of patients sent home (8)
/// and of those who died (12) in Maroldi et al., Eur Radiol 2021, part the three.
enum class Grade {
  kMild,      ///< below 8
  kModerate,  ///< 8 to below 12
  kSevere,    ///< 12 and above
};
/// "mild", "moderate", "severe".
const char* name(Grade grade);
Grade grade_of(double score);

/// One of the six zones.
struct ZoneSeverity {
  double extent = 0;  ///< per cent of the zone that is opaque, 0..100
  double score = 0;   ///< 0..3
};

/// How much of the lungs looks opaque, and how densely.
struct Severity {
  double extent = 0;        ///< per cent of the lung field, 0..100
  double right_extent = 0;  ///< of the patient's right lung
  double left_extent = 0;
  double score = 0;  ///< sum of the zones' scores, 0..18
  double low = 0;    ///< where the radiologists' score lies nine times in ten
  double high = 0;
  std::array<ZoneSeverity, kZones> zones;  ///< A to F
  SeverityMargins margins;                 ///< of the model, for comparing films
  Grade grade() const { return grade_of(score); }
};

/// Where each zone lies, for people: "right upper", ...
std::string_view zone_place(std::size_t zone);

/// Whether lungs as opaque as these are hardly normal: SeverityModel::hardly_normal.
bool is_hardly_normal(const SeverityModel& model, const Severity& severity);

Severity severity_of(const SeverityModel& model, const OpacityMap& map, const ZoneMap& zones);
/// The same of opacity_in_zones().
Severity severity_of(const SeverityModel& model, const std::vector<float>& opacity, const ZoneMap& zones);

/// {"extent", "right", "left", "score", "grade", "interval": [low, high]}, rounded to 0.1.
nlohmann::ordered_json to_json(const Severity& severity);
/// [{"zone", "place", "extent", "score"}], A to F.
nlohmann::ordered_json zones_json(const Severity& severity);

}  // namespace xray
