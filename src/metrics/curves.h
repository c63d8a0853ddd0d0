#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "metrics/metrics.h"

namespace xray {

/// A corner of a curve: what is reached by calling everything from `threshold` on pneumonia.
struct CurvePoint {
  double threshold = 0;
  double x = 0;
  double y = 0;
};

/// The curve's height over one place of the x axis, with its 95 % interval.
struct BandPoint {
  double x = 0;
  Estimate y;
};

/// A curve drawn by all thresholds, from the strictest to the most lenient.
struct Curve {
  std::vector<CurvePoint> points;  ///< corners, at most kMaxCurvePoints, evenly thinned where there are more
  std::vector<BandPoint> band;     ///< at kBandPoints even places of 0..1
};

constexpr std::size_t kMaxCurvePoints = 500;
constexpr std::size_t kBandPoints = 501;

// Bootstrap as in measure(): percentile, over cases, deterministic, O(resamples * n)
// time. Both curves are empty with one class only.

/// x: false positive rate (1 - specificity); y: sensitivity. Begins with the threshold
/// (infinite) that no case reaches. The band is the vertical
/// one of Fawcett 2006: the highest sensitivity at a false positive rate of at most x.
Curve roc_curve(std::span<const ScoredCase> cases, int resamples = 1000, std::uint64_t seed = 1);

/// x: recall (sensitivity); y: precision (positive predictive value). In the band, the
/// precision at the strictest threshold whose recall is at least x, which is the step
/// that average_precision() sums over.
Curve precision_recall_curve(std::span<const ScoredCase> cases, int resamples = 1000, std::uint64_t seed = 1);

/// What calling everything from `threshold` on pneumonia comes to (Wilson's intervals).
struct OperatingPoint {
  double threshold = 0;
  Estimate sensitivity;
  Estimate specificity;
};

/// One per threshold k / steps, k = 0..steps. `steps` at least 1.
std::vector<OperatingPoint> operating_points(std::span<const ScoredCase> cases, int steps = 200);

/// Cases whose probability lies in (low, high], 0 itself in the first.
struct ReliabilityBin {
  double low = 0;
  double high = 0;
  std::int64_t normal = 0;
  std::int64_t pneumonia = 0;
  double mean_probability = 0;  ///< NaN without cases
  Estimate observed;            ///< share of pneumonia (Wilson's interval); NaN without cases
};

/// Equal-width bins, those of expected_calibration_error(). `bins` at least 1.
std::vector<ReliabilityBin> reliability(std::span<const ScoredCase> cases, int bins = 15);

}  // namespace xray
