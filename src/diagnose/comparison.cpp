#include "diagnose/comparison.h"

#include <algorithm>
#include <string>

#include "common/rounding.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Change& change) {
  return {{"before", to_tenths(change.before)},
          {"after", to_tenths(change.after)},
          {"change", to_tenths(change.difference())},
          {"margin", to_tenths(change.margin)},
          {"beyond_noise", change.beyond_noise()}};
}

}  // namespace

Comparison::Course Comparison::course() const {
  const Change* const deciding = score.beyond_noise() ? &score : extent.beyond_noise() ? &extent : nullptr;
  if (deciding == nullptr) return Course::kUnchanged;
  return deciding->difference() < 0 ? Course::kBetter : Course::kWorse;
}

const char* name(Comparison::Course course) {
  switch (course) {
    case Comparison::Course::kUnchanged:
      return "unchanged";
    case Comparison::Course::kBetter:
      return "better";
    case Comparison::Course::kWorse:
      return "worse";
  }
  return "";
}

Result<Comparison> compare(const Finding& before, const Finding& after) {
  if (!before.severity) return Error{ErrorCode::kUnusable, "the earlier film has no severity to compare"};
  if (!after.severity) return Error{ErrorCode::kUnusable, "the later film has no severity to compare"};
  if (before.model != after.model)
    return Error{ErrorCode::kInvalidArgument, "the films were read by different models (" + before.model +
                                                  ", " + after.model + "); read the earlier one again"};
  const Severity& first = *before.severity;
  const Severity& second = *after.severity;
  const auto margin = [&](double SeverityMargins::* which) {
    return std::max(first.margins.*which, second.margins.*which);
  };
  Comparison comparison{.extent = {first.extent, second.extent, margin(&SeverityMargins::extent_change)},
                        .score = {first.score, second.score, margin(&SeverityMargins::score_change)},
                        .zones = {}};
  for (std::size_t zone = 0; zone < kZones; ++zone)
    comparison.zones[zone] = {first.zones[zone].score, second.zones[zone].score,
                              margin(&SeverityMargins::zone_change)};
  return comparison;
}

Json to_json(const Comparison& comparison) {
  Json json = {{"change", name(comparison.course())},
               {"extent", to_json(comparison.extent)},
               {"score", to_json(comparison.score)},
               {"zones", Json::array()}};
  for (std::size_t zone = 0; zone < kZones; ++zone) {
    Json row = {{"zone", kZoneNames[zone]}, {"place", zone_place(zone)}};
    row.update(to_json(comparison.zones[zone]));
    json["zones"].push_back(std::move(row));
  }
  return json;
}

}  // namespace xray
