#pragma once

#include <nlohmann/json.hpp>

#include "metrics/metrics.h"

namespace xray {

/// {"value", "low", "high"}, each null where it does not exist.
nlohmann::ordered_json to_json(const Estimate& estimate);

/// {"n", "threshold", "accuracy": {"value", "low", "high"}, "auc", "sensitivity",
/// "specificity", "ppv", "npv", "f1", "average_precision", "brier", "ece",
/// "confusion": {"true_positive", "false_positive", "true_negative",
/// "false_negative"}}; fractions from 0 to 1.
nlohmann::ordered_json to_json(const Metrics& metrics);

}  // namespace xray
