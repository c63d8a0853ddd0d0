#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace xray {

/// A measured number with its 95 % confidence interval.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// One judged case: the truth, and the probability of pneumonia (0..1) given to it.
struct ScoredCase {
  bool positive = false;
  double probability = 0;
};

struct Confusion {
  std::int64_t true_positive = 0;
  std::int64_t false_positive = 0;
  std::int64_t true_negative = 0;
  std::int64_t false_negative = 0;
};

/// Everything said of a classifier on one set of cases. Where a figure does not
/// exist (AUC with one class only), its value, low and high are NaN.
struct Metrics {
  std::int64_t n = 0;
  double threshold = 0.5;
  Confusion confusion;
  Estimate accuracy;  ///< proportions: Wilson's score interval (Wilson 1927)
  Estimate sensitivity;
  Estimate specificity;
  Estimate ppv;
  Estimate npv;
  Estimate f1;                 ///< bootstrap
  Estimate auc;                ///< DeLong's variance (DeLong 1988, by Sun & Xu 2014), on the logit scale
  Estimate average_precision;  ///< bootstrap
  Estimate brier;              ///< bootstrap
  Estimate ece;                ///< expected calibration error, 15 equal-width bins (Guo 2017); bootstrap
};

/// Area under the ROC curve by ranks, ties counted half. NaN with one class only.
double auc(std::span<const ScoredCase> cases);
double average_precision(std::span<const ScoredCase> cases);
double brier_score(std::span<const ScoredCase> cases);
double expected_calibration_error(std::span<const ScoredCase> cases, int bins = 15);

/// Positive means probability >= threshold. Bootstrap: percentile, over cases,
/// `resamples` drawn from `seed` (deterministic).
Metrics measure(std::span<const ScoredCase> cases, double threshold, int resamples = 1000,
                std::uint64_t seed = 1);

}  // namespace xray
