#include "metrics/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <tuple>

#include "common/random.h"

namespace xray {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kZ = 1.959963984540054;  // 97.5th percentile of the standard normal
constexpr int kBins = 15;

/// a / b, NaN for b = 0.
double ratio(double a, double b) {
  return b == 0 ? kNaN : a / b;
}

/// Wilson's score interval of `share`, seen in `n` trials.
Estimate wilson(double share, double n) {
  if (n == 0) return {kNaN, kNaN, kNaN};
  const double centre = share + kZ * kZ / (2 * n);
  const double half = kZ * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  // At 0 and 1 the ends are exact; rounding must not push them past the value.
  return {share, share == 0 ? 0 : (centre - half) / scale, share == 1 ? 1 : (centre + half) / scale};
}

/// Everything that follows from one weighted set of cases.
struct Figures {
  double true_positive = 0;
  double false_positive = 0;
  double true_negative = 0;
  double false_negative = 0;
  double auc = kNaN;
  double average_precision = kNaN;
  double brier = kNaN;
  double ece = kNaN;

  double f1() const { return ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative); }
};

/// Cases in falling order of probability, so that any reweighting of them is
/// judged in one pass.
class Ranking {
 public:
  explicit Ranking(std::span<const ScoredCase> cases) : cases_(cases.begin(), cases.end()) {
    for (const ScoredCase& scored : cases_)
      if (!(scored.probability >= 0 && scored.probability <= 1))
        throw std::invalid_argument("a probability must lie in 0..1");
    // Down to the last tie, so that a resample is the same whatever order the cases came in.
    std::sort(cases_.begin(), cases_.end(), [](const ScoredCase& a, const ScoredCase& b) {
      return std::tie(a.probability, a.positive) > std::tie(b.probability, b.positive);
    });
  }

  std::size_t size() const { return cases_.size(); }

  /// `weights`: how often each case counts, in the order of the ranking.
  Figures figures(std::span<const std::uint32_t> weights, double threshold, int bins = kBins) const {
    struct Bin {
      double probability = 0;
      double positives = 0;
    };
    std::vector<Bin> calibration(static_cast<std::size_t>(bins));
    Figures result;
    double positives = 0;
    double negatives = 0;
    double ordered_pairs = 0;
    double precision_sum = 0;
    double squares = 0;
    for (std::size_t begin = 0; begin < cases_.size();) {
      const double probability = cases_[begin].probability;
      double tied_positives = 0;
      double tied_negatives = 0;
      std::size_t end = begin;
      for (; end < cases_.size() && cases_[end].probability == probability; ++end)
        (cases_[end].positive ? tied_positives : tied_negatives) += weights[end];
      begin = end;

      ordered_pairs += tied_negatives * (positives + tied_positives / 2);
      positives += tied_positives;
      negatives += tied_negatives;
      if (tied_positives > 0) precision_sum += tied_positives * positives / (positives + negatives);
      squares +=
          tied_positives * (1 - probability) * (1 - probability) + tied_negatives * probability * probability;
      Bin& bin = calibration[static_cast<std::size_t>(calibration_bin(probability, bins))];
      bin.probability += (tied_positives + tied_negatives) * probability;
      bin.positives += tied_positives;
      if (probability >= threshold) {
        result.true_positive = positives;
        result.false_positive = negatives;
      }
    }
    result.false_negative = positives - result.true_positive;
    result.true_negative = negatives - result.false_positive;
    result.auc = ratio(ordered_pairs, positives * negatives);
    result.average_precision = ratio(precision_sum, positives);
    result.brier = ratio(squares, positives + negatives);
    double distance = 0;
    for (const Bin& bin : calibration) distance += std::abs(bin.probability - bin.positives);
    result.ece = ratio(distance, positives + negatives);
    return result;
  }

  Figures figures(double threshold = 0.5, int bins = kBins) const {
    return figures(std::vector<std::uint32_t>(cases_.size(), 1), threshold, bins);
  }

  /// AUC with DeLong's interval; see measure() for where that has no variance.
  Estimate auc() const {
    // A case's placement is the share of the other class that it is ordered
    // rightly against, ties half: the difference of midranks of Sun & Xu.
    double positives = 0;
    double negatives = 0;
    for (const ScoredCase& scored : cases_) ++(scored.positive ? positives : negatives);
    if (positives == 0 || negatives == 0) return {kNaN, kNaN, kNaN};
    const double area = figures().auc;

    double positive_squares = 0;
    double negative_squares = 0;
    double positives_above = 0;
    double negatives_above = 0;
    for (std::size_t begin = 0; begin < cases_.size();) {
      double tied_positives = 0;
      double tied_negatives = 0;
      std::size_t end = begin;
      for (; end < cases_.size() && cases_[end].probability == cases_[begin].probability; ++end)
        ++(cases_[end].positive ? tied_positives : tied_negatives);
      begin = end;
      const double of_positive = 1 - (negatives_above + tied_negatives / 2) / negatives;
      const double of_negative = (positives_above + tied_positives / 2) / positives;
      positive_squares += tied_positives * (of_positive - area) * (of_positive - area);
      negative_squares += tied_negatives * (of_negative - area) * (of_negative - area);
      positives_above += tied_positives;
      negatives_above += tied_negatives;
    }
    const double variance = ratio(positive_squares, (positives - 1) * positives) +
                            ratio(negative_squares, (negatives - 1) * negatives);
    if (!(variance > 0) || area <= 0 || area >= 1) return wilson(area, std::min(positives, negatives));
    const double centre = std::log(area / (1 - area));
    const double half = kZ * std::sqrt(variance) / (area * (1 - area));
    const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
    return {area, logistic(centre - half), logistic(centre + half)};
  }

 private:
  std::vector<ScoredCase> cases_;
};

}  // namespace

Estimate proportion(std::int64_t successes, std::int64_t n) {
  const auto trials = static_cast<double>(n);
  return wilson(ratio(static_cast<double>(successes), trials), trials);
}

int calibration_bin(double probability, int bins) {
  return std::clamp(static_cast<int>(std::ceil(probability * bins)) - 1, 0, bins - 1);
}

Estimate percentile_interval(double value, std::vector<double>& resampled) {
  std::erase_if(resampled, [](double x) { return std::isnan(x); });
  if (std::isnan(value) || resampled.empty()) return {value, kNaN, kNaN};
  std::sort(resampled.begin(), resampled.end());
  const auto quantile = [&](double q) {
    const double place = q * static_cast<double>(resampled.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, resampled.size() - 1);
    return std::lerp(resampled[below], resampled[above], place - static_cast<double>(below));
  };
  return {value, std::min(value, quantile(0.025)), std::max(value, quantile(0.975))};
}

double auc(std::span<const ScoredCase> cases) {
  return Ranking(cases).figures().auc;
}

double average_precision(std::span<const ScoredCase> cases) {
  return Ranking(cases).figures().average_precision;
}

double brier_score(std::span<const ScoredCase> cases) {
  return Ranking(cases).figures().brier;
}

double expected_calibration_error(std::span<const ScoredCase> cases, int bins) {
  if (bins < 1) throw std::invalid_argument("at least one bin");
  return Ranking(cases).figures(0.5, bins).ece;
}

Metrics measure(std::span<const ScoredCase> cases, double threshold, int resamples, std::uint64_t seed) {
  const Ranking ranking(cases);
  const Figures whole = ranking.figures(threshold);

  Metrics metrics;
  metrics.n = static_cast<std::int64_t>(ranking.size());
  metrics.threshold = threshold;
  Confusion& c = metrics.confusion;
  c.true_positive = std::llround(whole.true_positive);
  c.false_positive = std::llround(whole.false_positive);
  c.true_negative = std::llround(whole.true_negative);
  c.false_negative = std::llround(whole.false_negative);
  metrics.accuracy = proportion(c.true_positive + c.true_negative, metrics.n);
  metrics.sensitivity = proportion(c.true_positive, c.true_positive + c.false_negative);
  metrics.specificity = proportion(c.true_negative, c.true_negative + c.false_positive);
  metrics.ppv = proportion(c.true_positive, c.true_positive + c.false_positive);
  metrics.npv = proportion(c.true_negative, c.true_negative + c.false_negative);
  metrics.auc = ranking.auc();

  std::vector<double> f1;
  std::vector<double> average_precision;
  std::vector<double> brier;
  std::vector<double> ece;
  Random random(seed);
  std::vector<std::uint32_t> weights(ranking.size());
  for (int resample = 0; resample < resamples && !weights.empty(); ++resample) {
    std::fill(weights.begin(), weights.end(), 0);
    for (std::size_t draw = 0; draw < weights.size(); ++draw) ++weights[random.below(weights.size())];
    const Figures figures = ranking.figures(weights, threshold);
    f1.push_back(figures.f1());
    average_precision.push_back(figures.average_precision);
    brier.push_back(figures.brier);
    ece.push_back(figures.ece);
  }
  metrics.f1 = percentile_interval(whole.f1(), f1);
  metrics.average_precision = percentile_interval(whole.average_precision, average_precision);
  metrics.brier = percentile_interval(whole.brier, brier);
  metrics.ece = percentile_interval(whole.ece, ece);
  return metrics;
}

}  // namespace xray
