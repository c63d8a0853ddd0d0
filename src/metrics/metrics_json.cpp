#include "metrics/metrics_json.h"

#include <cmath>

namespace xray {

using Json = nlohmann::ordered_json;

Json to_json(const Estimate& estimate) {
  const auto number = [](double value) { return std::isnan(value) ? Json() : Json(value); };
  return {{"value", number(estimate.value)}, {"low", number(estimate.low)}, {"high", number(estimate.high)}};
}

Json to_json(const Metrics& metrics) {
  return {
      {"n", metrics.n},
      {"threshold", metrics.threshold},
      {"accuracy", to_json(metrics.accuracy)},
      {"auc", to_json(metrics.auc)},
      {"sensitivity", to_json(metrics.sensitivity)},
      {"specificity", to_json(metrics.specificity)},
      {"ppv", to_json(metrics.ppv)},
      {"npv", to_json(metrics.npv)},
      {"f1", to_json(metrics.f1)},
      {"average_precision", to_json(metrics.average_precision)},
      {"brier", to_json(metrics.brier)},
      {"ece", to_json(metrics.ece)},
      {"confusion",
       {{"true_positive", metrics.confusion.true_positive},
        {"false_positive", metrics.confusion.false_positive},
        {"true_negative", metrics.confusion.true_negative},
        {"false_negative", metrics.confusion.false_negative}}},
  };
}

}  // namespace xray
