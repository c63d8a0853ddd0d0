#include "store/finding_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace xray {

using nlohmann::json;

namespace {

/// A number of pixels or cells; -1 where `value` is none.
int read_length(const json& value) {
  const std::int64_t length = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  return length >= 0 && length <= std::numeric_limits<int>::max() ? static_cast<int>(length) : -1;
}

/// That of a model card.
constexpr double kLargestMargin = 1e6;

bool is_percent(double value) {
  return value >= 0 && value <= 100;
}

json to_stored(const Severity& severity) {
  json zones = json::array();
  for (const ZoneSeverity& zone : severity.zones) zones.push_back({zone.extent, zone.score});
  const SeverityMargins& margins = severity.margins;
  return {{"extent", severity.extent},
          {"right", severity.right_extent},
          {"left", severity.left_extent},
          {"score", severity.score},
          {"interval", {severity.low, severity.high}},
          {"zones", std::move(zones)},
          {"margins", {margins.score, margins.score_change, margins.zone_change, margins.extent_change}}};
}

Severity severity_from(const json& in) {
  Severity severity;
  in.at("extent").get_to(severity.extent);
  in.at("right").get_to(severity.right_extent);
  in.at("left").get_to(severity.left_extent);
  in.at("score").get_to(severity.score);
  in.at("interval").at(0).get_to(severity.low);
  in.at("interval").at(1).get_to(severity.high);
  for (std::size_t zone = 0; zone < kZones; ++zone) {
    in.at("zones").at(zone).at(0).get_to(severity.zones[zone].extent);
    in.at("zones").at(zone).at(1).get_to(severity.zones[zone].score);
  }
  const json& margins = in.at("margins");
  margins.at(0).get_to(severity.margins.score);
  margins.at(1).get_to(severity.margins.score_change);
  margins.at(2).get_to(severity.margins.zone_change);
  margins.at(3).get_to(severity.margins.extent_change);
  return severity;
}

bool is_score(double value, double most) {
  return value >= 0 && value <= most;
}

bool is_sound(const Severity& severity) {
  const SeverityMargins& margins = severity.margins;
  return is_percent(severity.extent) && is_percent(severity.right_extent) &&
         is_percent(severity.left_extent) && is_score(severity.score, kFullScore) &&
         is_score(severity.low, kFullScore) && is_score(severity.high, kFullScore) &&
         std::ranges::all_of(severity.zones,
                             [](const ZoneSeverity& zone) {
                               return is_percent(zone.extent) && is_score(zone.score, kFullZoneScore);
                             }) &&
         is_score(margins.score, kLargestMargin) && is_score(margins.score_change, kLargestMargin) &&
         is_score(margins.zone_change, kLargestMargin) && is_score(margins.extent_change, kLargestMargin);
}

/// Whether all that is computed with is in range, so that whoever draws and shows need not ask.
bool is_sound(const Finding& finding) {
  const HeatMap& heat = finding.heat;
  return is_percent(finding.normal) && is_percent(finding.pneumonia) &&
         (!finding.has_subtype() || (is_percent(finding.bacterial) && is_percent(finding.viral))) &&
         (!finding.severity || is_sound(*finding.severity)) && finding.width > 0 && finding.height > 0 &&
         heat.width >= 0 && heat.height >= 0 &&
         std::int64_t{heat.width} * heat.height == static_cast<std::int64_t>(heat.values.size()) &&
         std::all_of(heat.values.begin(), heat.values.end(), [](float v) { return v >= 0 && v <= 1; });
}

}  // namespace

std::string encode_finding(const Finding& finding) {
  json heat = json::array();
  for (const float value : finding.heat.values)
    heat.push_back(std::round(static_cast<double>(value) * 1e4) / 1e4);
  json reasons = json::array();
  for (const Reason reason : finding.reasons) reasons.push_back(name(reason));
  json stored{
      {"verdict", name(finding.verdict)},
      {"reasons", std::move(reasons)},
      {"normal", finding.normal},
      {"pneumonia", finding.pneumonia},
      {"bacterial", finding.bacterial},
      {"viral", finding.viral},
      {"model", finding.model},
      {"picture", {{"width", finding.width}, {"height", finding.height}}},
      {"timing",
       {{"decode", finding.timing.decode},
        {"preprocess", finding.timing.preprocess},
        {"infer", finding.timing.infer},
        {"total", finding.timing.total}}},
      {"heat", {{"width", finding.heat.width}, {"height", finding.heat.height}, {"values", std::move(heat)}}},
  };
  if (finding.severity) stored["severity"] = to_stored(*finding.severity);
  return stored.dump();
}

Result<Finding> decode_finding(std::string_view text) {
  const Error damaged{ErrorCode::kStorage, "a stored finding is damaged"};
  try {
    const json in = json::parse(text);
    Finding out;
    const auto verdict = verdict_from(in.at("verdict").get<std::string>());
    if (!verdict) return damaged;
    out.verdict = *verdict;
    // Findings of the first schema have none.
    for (const json& code : in.value("reasons", json::array())) {
      const auto reason = reason_from(code.get<std::string>());
      if (!reason) return damaged;
      out.reasons.push_back(*reason);
    }
    in.at("normal").get_to(out.normal);
    in.at("pneumonia").get_to(out.pneumonia);
    in.at("bacterial").get_to(out.bacterial);
    in.at("viral").get_to(out.viral);
    in.at("model").get_to(out.model);
    out.width = read_length(in.at("picture").at("width"));
    out.height = read_length(in.at("picture").at("height"));
    if (in.contains("severity")) out.severity = severity_from(in.at("severity"));
    const json& timing = in.at("timing");
    timing.at("decode").get_to(out.timing.decode);
    timing.at("preprocess").get_to(out.timing.preprocess);
    timing.at("infer").get_to(out.timing.infer);
    timing.at("total").get_to(out.timing.total);
    const json& heat = in.at("heat");
    out.heat.width = read_length(heat.at("width"));
    out.heat.height = read_length(heat.at("height"));
    heat.at("values").get_to(out.heat.values);
    if (!is_sound(out)) return damaged;
    return out;
  } catch (const json::exception&) {
    return damaged;
  }
}

}  // namespace xray
