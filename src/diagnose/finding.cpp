#include "diagnose/finding.h"

#include <algorithm>

#include "common/rounding.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

/// {first, second}, rounded so that what is shown still adds up to 100.
Json shares(const char* first, double first_percent, const char* second) {
  const double rounded = to_hundredths(first_percent);
  return {{first, rounded}, {second, to_hundredths(100 - rounded)}};
}

}  // namespace

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNormal:
      return "normal";
    case Verdict::kPneumonia:
      return "pneumonia";
    case Verdict::kUncertain:
      return "uncertain";
    case Verdict::kRejected:
      return "rejected";
  }
  return "";
}

std::optional<Verdict> verdict_from(std::string_view text) {
  for (const Verdict verdict :
       {Verdict::kNormal, Verdict::kPneumonia, Verdict::kUncertain, Verdict::kRejected})
    if (text == name(verdict)) return verdict;
  return std::nullopt;
}

const char* name(Reason reason) {
  return kReasonNames.at(static_cast<std::size_t>(reason));
}

std::optional<Reason> reason_from(std::string_view text) {
  const auto found = std::ranges::find(kReasonNames, text);
  if (found == kReasonNames.end()) return std::nullopt;
  return static_cast<Reason>(found - kReasonNames.begin());
}

const char* describe(Reason reason) {
  switch (reason) {
    case Reason::kTooSmall:
      return "The picture is too small to be judged";
    case Reason::kFlat:
      return "The picture is one flat gray";
    case Reason::kNoLungs:
      return "No lungs can be made out";
    case Reason::kNoFrontalFilm:
      return "This does not look like an upright frontal chest X-ray";
    case Reason::kTurnedLeft:
      return "The film is turned to the left by a quarter";
    case Reason::kTurnedRight:
      return "The film is turned to the right by a quarter";
    case Reason::kUpsideDown:
      return "The film is upside down";
    case Reason::kInverted:
      return "The gray levels were inverted; they were read the right way round";
    case Reason::kNearThreshold:
      return "Too close to the threshold to call";
    case Reason::kPoorExposure:
      return "The lungs are shown too dark, too bright or too flat";
    case Reason::kLungsCut:
      return "Part of the lungs lies outside the film";
    case Reason::kOpacity:
      return "The film looks normal, but areas of the lungs are opaque";
  }
  return "";
}

std::string describe_reasons(const Finding& finding) {
  std::string text;
  for (const Reason reason : finding.reasons)
    text += (text.empty() ? "" : "; ") + std::string(describe(reason));
  return text;
}

Json to_json(const Finding& finding) {
  Json json = {{"schema", kFindingSchema}, {"verdict", name(finding.verdict)}};
  if (!finding.is_rejected()) {
    json["percent"] = shares("normal", finding.normal, "pneumonia");
    json["confidence"] = to_hundredths(std::max(finding.normal, finding.pneumonia));
  }
  if (finding.has_subtype() && finding.verdict == Verdict::kPneumonia)
    json["subtype"] = shares("bacterial", finding.bacterial, "viral");
  if (finding.severity) {
    json["severity"] = to_json(*finding.severity);
    json["zones"] = zones_json(*finding.severity);
  }
  json["reasons"] = Json::array();
  for (const Reason reason : finding.reasons)
    json["reasons"].push_back({{"code", name(reason)}, {"text", describe(reason)}});
  json["model"] = finding.model;
  json["milliseconds"] = to_hundredths(finding.timing.total);
  json["timing"] = {{"decode", to_hundredths(finding.timing.decode)},
                    {"preprocess", to_hundredths(finding.timing.preprocess)},
                    {"infer", to_hundredths(finding.timing.infer)}};
  json["picture"] = {{"width", finding.width}, {"height", finding.height}};
  return json;
}

}  // namespace xray
