#include "metrics/curves.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "common/random.h"

namespace xray {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// How many of each class lie at or above a threshold.
struct Step {
  double threshold = 0;
  double positives = 0;
  double negatives = 0;
};

/// Cases in falling order of probability, equal probabilities as one step, so that
/// every resample is one pass.
class Steps {
 public:
  explicit Steps(std::span<const ScoredCase> cases) : cases_(cases.begin(), cases.end()) {
    std::sort(cases_.begin(), cases_.end(), [](const ScoredCase& a, const ScoredCase& b) {
      return a.probability != b.probability ? a.probability > b.probability : a.positive > b.positive;
    });
  }

  std::size_t size() const { return cases_.size(); }

  /// `weights`: how often each case counts, in falling order of probability.
  void count(std::span<const std::uint32_t> weights, std::vector<Step>& steps) const {
    steps.clear();
    Step step;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      (cases_[i].positive ? step.positives : step.negatives) += weights[i];
      step.threshold = cases_[i].probability;
      if (i + 1 == cases_.size() || cases_[i + 1].probability != step.threshold) steps.push_back(step);
    }
  }

 private:
  std::vector<ScoredCase> cases_;
};

using Grid = std::vector<double>;  // kBandPoints heights

double grid_x(std::size_t i) {
  return static_cast<double>(i) / (kBandPoints - 1);
}

/// Rounding must not keep a step from the very place of the grid that it reaches.
constexpr double kSlack = 1e-12;

void roc_heights(std::span<const Step> steps, Grid& heights) {
  const Step& all = steps.back();
  double height = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < kBandPoints; ++i) {
    for (; next < steps.size() && steps[next].negatives <= (grid_x(i) + kSlack) * all.negatives; ++next)
      height = steps[next].positives / all.positives;
    heights[i] = height;
  }
}

void precision_heights(std::span<const Step> steps, Grid& heights) {
  const Step& all = steps.back();
  std::size_t next = 0;
  for (std::size_t i = 0; i < kBandPoints; ++i) {
    // A threshold that calls nobody ill has no precision, so recall 0 takes the first that does.
    while (next + 1 < steps.size() &&
           (steps[next].positives == 0 || steps[next].positives < (grid_x(i) - kSlack) * all.positives))
      ++next;
    heights[i] = steps[next].positives / (steps[next].positives + steps[next].negatives);
  }
}

template <typename Heights>
std::vector<BandPoint> bootstrap(const Steps& ranking, std::span<const Step> whole, int resamples,
                                 std::uint64_t seed, Heights heights_of) {
  Grid heights(kBandPoints);
  heights_of(whole, heights);
  const Grid values = heights;
  std::vector<std::vector<double>> drawn(kBandPoints);
  Random random(seed);
  std::vector<std::uint32_t> weights(ranking.size());
  std::vector<Step> steps;
  for (int resample = 0; resample < resamples; ++resample) {
    std::fill(weights.begin(), weights.end(), 0);
    for (std::size_t draw = 0; draw < weights.size(); ++draw) ++weights[random.below(weights.size())];
    ranking.count(weights, steps);
    if (steps.back().positives == 0 || steps.back().negatives == 0) continue;
    heights_of(steps, heights);
    for (std::size_t i = 0; i < kBandPoints; ++i) drawn[i].push_back(heights[i]);
  }
  std::vector<BandPoint> band;
  for (std::size_t i = 0; i < kBandPoints; ++i)
    band.push_back({grid_x(i), percentile_interval(values[i], drawn[i])});
  return band;
}

/// Without the points that lie on a straight line between their neighbours, and thinned
/// evenly to kMaxCurvePoints, both ends kept.
std::vector<CurvePoint> simplified(std::vector<CurvePoint> points) {
  std::vector<CurvePoint> corners;
  for (const CurvePoint& point : points) {
    while (corners.size() >= 2) {
      const CurvePoint& a = corners[corners.size() - 2];
      const CurvePoint& b = corners.back();
      const double turn = (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x);
      if (std::abs(turn) > 1e-15) break;
      corners.pop_back();
    }
    corners.push_back(point);
  }
  if (corners.size() <= kMaxCurvePoints) return corners;
  std::vector<CurvePoint> thinned;
  for (std::size_t i = 0; i < kMaxCurvePoints; ++i)
    thinned.push_back(corners[i * (corners.size() - 1) / (kMaxCurvePoints - 1)]);
  return thinned;
}

struct Whole {
  Steps ranking;
  std::vector<Step> steps;
  bool two_classes = false;
};

Whole count_all(std::span<const ScoredCase> cases) {
  Whole whole{Steps(cases), {}, false};
  whole.ranking.count(std::vector<std::uint32_t>(cases.size(), 1), whole.steps);
  whole.two_classes =
      !whole.steps.empty() && whole.steps.back().positives > 0 && whole.steps.back().negatives > 0;
  return whole;
}

}  // namespace

Curve roc_curve(std::span<const ScoredCase> cases, int resamples, std::uint64_t seed) {
  const Whole whole = count_all(cases);
  if (!whole.two_classes) return {};
  const Step& all = whole.steps.back();
  std::vector<CurvePoint> points{{std::numeric_limits<double>::infinity(), 0, 0}};
  for (const Step& step : whole.steps)
    points.push_back({step.threshold, step.negatives / all.negatives, step.positives / all.positives});
  return {simplified(std::move(points)), bootstrap(whole.ranking, whole.steps, resamples, seed, roc_heights)};
}

Curve precision_recall_curve(std::span<const ScoredCase> cases, int resamples, std::uint64_t seed) {
  const Whole whole = count_all(cases);
  if (!whole.two_classes) return {};
  const Step& all = whole.steps.back();
  std::vector<CurvePoint> points;
  for (const Step& step : whole.steps)
    points.push_back(
        {step.threshold, step.positives / all.positives, step.positives / (step.positives + step.negatives)});
  return {simplified(std::move(points)),
          bootstrap(whole.ranking, whole.steps, resamples, seed, precision_heights)};
}

std::vector<OperatingPoint> operating_points(std::span<const ScoredCase> cases, int steps) {
  if (steps < 1) throw std::invalid_argument("at least one step");
  std::vector<double> positives;
  std::vector<double> negatives;
  for (const ScoredCase& scored : cases)
    (scored.positive ? positives : negatives).push_back(scored.probability);
  std::sort(positives.begin(), positives.end());
  std::sort(negatives.begin(), negatives.end());
  const auto below = [](const std::vector<double>& sorted, double threshold) {
    return std::distance(sorted.begin(), std::lower_bound(sorted.begin(), sorted.end(), threshold));
  };
  std::vector<OperatingPoint> points;
  for (int k = 0; k <= steps; ++k) {
    const double threshold = static_cast<double>(k) / steps;
    const auto ill = static_cast<std::int64_t>(positives.size());
    points.push_back({threshold, proportion(ill - below(positives, threshold), ill),
                      proportion(below(negatives, threshold), static_cast<std::int64_t>(negatives.size()))});
  }
  return points;
}

std::vector<ReliabilityBin> reliability(std::span<const ScoredCase> cases, int bins) {
  if (bins < 1) throw std::invalid_argument("at least one bin");
  std::vector<ReliabilityBin> result(static_cast<std::size_t>(bins));
  for (const ScoredCase& scored : cases) {
    ReliabilityBin& bin = result[static_cast<std::size_t>(calibration_bin(scored.probability, bins))];
    ++(scored.positive ? bin.pneumonia : bin.normal);
    bin.mean_probability += scored.probability;
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    ReliabilityBin& bin = result[i];
    bin.low = static_cast<double>(i) / bins;
    bin.high = static_cast<double>(i + 1) / bins;
    const std::int64_t n = bin.normal + bin.pneumonia;
    bin.mean_probability = n == 0 ? kNaN : bin.mean_probability / static_cast<double>(n);
    bin.observed = proportion(bin.pneumonia, n);
  }
  return result;
}

}  // namespace xray
