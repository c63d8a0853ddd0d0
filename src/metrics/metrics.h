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
  Estimate ece;                ///< of the probability of pneumonia, 15 equal-width bins; bootstrap
};

/// `successes` of `n` with Wilson's interval; NaN for n = 0.
Estimate proportion(std::int64_t successes, std::int64_t n);

/// Area under the ROC curve by ranks, ties counted half. NaN with one class only.
double auc(std::span<const ScoredCase> cases);
/// Area under the precision-recall curve as a sum of steps, one per distinct
/// probability, not interpolated. NaN without positives.
double average_precision(std::span<const ScoredCase> cases);
/// Mean squared distance of probability and truth (Brier 1950). NaN without cases.
double brier_score(std::span<const ScoredCase> cases);
/// Mean distance between the average probability and the share of positives over
/// equal-width bins (low, high] of the probability, weighted by cases (after Guo
/// 2017). NaN without cases.
double expected_calibration_error(std::span<const ScoredCase> cases, int bins = 15);

/// Which of `bins` equal-width bins (low, high] of 0..1 holds the probability; 0 lies in the first.
int calibration_bin(double probability, int bins);
/// The bootstrap's 95 % percentile interval around `value`, as measure() tells; NaN
/// ends without resamples. Reorders `resampled`.
Estimate percentile_interval(double value, std::vector<double>& resampled);

/// Positive means probability >= threshold. Takes the cases as independent:
/// several films of one patient make the true intervals wider.
///
/// Bootstrap: percentile, over cases, `resamples` drawn from `seed`
/// (deterministic), widened where needed to hold the value itself, since the
/// calibration error of resamples lies above that of the sample. Resamples in
/// which a figure does not exist are left out of its interval.
///
/// AUC: where DeLong's variance is zero or does not exist (perfect separation,
/// one case in a class), Wilson's interval for as many trials as the smaller
/// class has cases: so many disjoint pairs of a positive and a negative are
/// independent, and the interval errs on the wide side.
///
/// All of it in O(resamples * n + n log n) and O(resamples + n) memory. Throws
/// std::invalid_argument for a probability outside 0..1.
Metrics measure(std::span<const ScoredCase> cases, double threshold, int resamples = 1000,
                std::uint64_t seed = 1);

}  // namespace xray
