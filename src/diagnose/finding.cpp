#include "diagnose/finding.h"

#include <cmath>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

double to_hundredths(double value) {
  return std::round(value * 100) / 100;
}

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
  }
  return "";
}

Json to_json(const Finding& finding) {
  Json json = {{"verdict", name(finding.verdict)},
               {"percent", shares("normal", finding.normal, "pneumonia")}};
  if (finding.has_subtype()) json["subtype"] = shares("bacterial", finding.bacterial, "viral");
  json["model"] = finding.model;
  json["milliseconds"] = to_hundredths(finding.timing.total);
  json["timing"] = {{"decode", to_hundredths(finding.timing.decode)},
                    {"preprocess", to_hundredths(finding.timing.preprocess)},
                    {"infer", to_hundredths(finding.timing.infer)}};
  json["picture"] = {{"width", finding.width}, {"height", finding.height}};
  return json;
}

}  // namespace xray
