#include "metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace xray {
namespace {

double logit(double p) {
  const double bounded = std::clamp(p, 1e-9, 1 - 1e-9);
  return std::log(bounded / (1 - bounded));
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// log(1 + e^x) without overflow.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

}  // namespace

PlattScaling fit_platt(std::span<const ScoredCase> cases) {
  const auto positives = static_cast<double>(
      std::count_if(cases.begin(), cases.end(), [](const ScoredCase& c) { return c.positive; }));
  const double negatives = static_cast<double>(cases.size()) - positives;
  if (positives == 0 || negatives == 0) return {};
  const double target_positive = (positives + 1) / (positives + 2);
  const double target_negative = 1 / (negatives + 2);

  const auto loss_of = [&](const PlattScaling& s) {
    double loss = 0;
    for (const ScoredCase& c : cases) {
      const double z = s.slope * logit(c.probability) + s.intercept;
      loss += softplus(z) - (c.positive ? target_positive : target_negative) * z;
    }
    return loss;
  };

  PlattScaling best;
  double loss = loss_of(best);
  for (int iteration = 0; iteration < 100; ++iteration) {
    double g0 = 0;
    double g1 = 0;
    // A ridge keeps the Hessian invertible when all scores are extreme.
    double h00 = 1e-9;
    double h01 = 0;
    double h11 = 1e-9;
    for (const ScoredCase& c : cases) {
      const double x = logit(c.probability);
      const double p = sigmoid(best.slope * x + best.intercept);
      const double error = p - (c.positive ? target_positive : target_negative);
      const double curvature = std::max(p * (1 - p), 1e-12);
      g0 += error * x;
      g1 += error;
      h00 += curvature * x * x;
      h01 += curvature * x;
      h11 += curvature;
    }
    const double determinant = h00 * h11 - h01 * h01;
    const double d0 = -(h11 * g0 - h01 * g1) / determinant;
    const double d1 = -(h00 * g1 - h01 * g0) / determinant;
    // Newton's step, halved until it helps.
    double step = 1;
    PlattScaling next = best;
    double next_loss = loss;
    for (; step > 1e-8; step /= 2) {
      next = {best.slope + step * d0, best.intercept + step * d1};
      next_loss = loss_of(next);
      if (next_loss < loss) break;
    }
    if (step <= 1e-8 || loss - next_loss < 1e-12 * std::abs(loss)) break;
    best = next;
    loss = next_loss;
  }
  return best;
}

double apply(const PlattScaling& scaling, double probability) {
  return sigmoid(scaling.slope * logit(probability) + scaling.intercept);
}

}  // namespace xray
