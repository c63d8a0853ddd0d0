#pragma once

#include <span>

#include "metrics/metrics.h"

namespace xray {

/// sigmoid(slope * logit(p) + intercept).
struct PlattScaling {
  double slope = 1;
  double intercept = 0;
};

/// Fitted by maximum likelihood on the cases' probabilities, with Platt's smoothed
/// targets (Platt 1999, Newton's method after Lin, Lin & Weng 2007), so that a
/// classifier which makes no mistakes on them does not become infinitely sure.
/// Identity where one of the classes is absent.
PlattScaling fit_platt(std::span<const ScoredCase> cases);

double apply(const PlattScaling& scaling, double probability);

}  // namespace xray
