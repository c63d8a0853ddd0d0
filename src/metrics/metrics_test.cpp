#include "metrics/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "common/random.h"
#include "metrics/metrics_json.h"

namespace xray {
namespace {

using Cases = std::vector<ScoredCase>;

/// Two overlapping normal distributions `shift` apart, squashed into 0..1.
Cases make_cases(int positives, int negatives, double shift, std::uint64_t seed, int levels = 0) {
  Random random(seed);
  Cases cases;
  cases.reserve(static_cast<std::size_t>(positives) + static_cast<std::size_t>(negatives));
  for (int i = 0; i < positives + negatives; ++i) {
    const bool positive = i < positives;
    double probability = 1 / (1 + std::exp(-(random.normal() + (positive ? shift : 0))));
    if (levels > 0) probability = std::round(probability * levels) / levels;
    cases.push_back({positive, probability});
  }
  random.shuffle(std::span(cases));
  return cases;
}

double standard_deviation(const std::vector<double>& values) {
  double sum = 0;
  double squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const auto n = static_cast<double>(values.size());
  return std::sqrt((squares - sum * sum / n) / (n - 1));
}

void expect_interval(const Estimate& estimate, double value, double low, double high, double tolerance) {
  EXPECT_NEAR(estimate.value, value, tolerance);
  EXPECT_NEAR(estimate.low, low, tolerance);
  EXPECT_NEAR(estimate.high, high, tolerance);
}

void expect_missing(const Estimate& estimate) {
  EXPECT_TRUE(std::isnan(estimate.value));
  EXPECT_TRUE(std::isnan(estimate.low));
  EXPECT_TRUE(std::isnan(estimate.high));
}

TEST(Proportion, AgreesWithPublishedWilsonIntervals) {
  // Newcombe 1998, Statistics in Medicine 17, table I, method 3.
  expect_interval(proportion(81, 263), 0.3080, 0.2553, 0.3662, 5e-5);
  expect_interval(proportion(15, 148), 0.1014, 0.0624, 0.1605, 5e-5);
  expect_interval(proportion(0, 20), 0.0, 0.0, 0.1611, 5e-5);
  expect_interval(proportion(1, 29), 0.0345, 0.0061, 0.1718, 5e-5);
}

TEST(Proportion, EndsExactlyAtZeroAndOne) {
  EXPECT_EQ(proportion(0, 7).low, 0.0);
  EXPECT_EQ(proportion(7, 7).high, 1.0);
  expect_missing(proportion(0, 0));
}

TEST(Auc, CountsOrderedPairsTiesHalf) {
  EXPECT_DOUBLE_EQ(auc(Cases{{false, 0.1}, {false, 0.4}, {true, 0.35}, {true, 0.8}}), 0.75);
  EXPECT_DOUBLE_EQ(auc(Cases{{false, 0.5}, {true, 0.5}}), 0.5);
  // Pairs of (0.2, 0.5, 0.7) against (0.5, 0.9): 1.5 + 3 of 6.
  EXPECT_DOUBLE_EQ(auc(Cases{{false, 0.2}, {false, 0.5}, {false, 0.7}, {true, 0.5}, {true, 0.9}}), 4.5 / 6);
  EXPECT_DOUBLE_EQ(auc(Cases{{false, 0.0}, {true, 1.0}}), 1.0);
  EXPECT_DOUBLE_EQ(auc(Cases{{false, 1.0}, {true, 0.0}}), 0.0);
}

TEST(Auc, AgreesWithTheDefinitionOnManyTies) {
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    const Cases cases = make_cases(60, 90, 1.0, seed, 12);
    double sum = 0;
    for (const ScoredCase& a : cases)
      for (const ScoredCase& b : cases)
        if (a.positive && !b.positive)
          sum += a.probability > b.probability ? 1.0 : (a.probability == b.probability ? 0.5 : 0.0);
    EXPECT_NEAR(auc(cases), sum / (60 * 90), 1e-12);
  }
}

TEST(Auc, TurnsOverWithTheClasses) {
  Cases cases = make_cases(50, 70, 0.8, 5, 20);
  const double straight = auc(cases);
  for (ScoredCase& scored : cases) scored.positive = !scored.positive;
  EXPECT_NEAR(auc(cases), 1 - straight, 1e-12);
}

TEST(AveragePrecision, SumsStepsOverDistinctProbabilities) {
  // Ranked 1 0 1 0: precision 1 at recall 1/2, 2/3 at recall 1.
  EXPECT_NEAR(average_precision(Cases{{false, 0.1}, {false, 0.4}, {true, 0.35}, {true, 0.8}}),
              0.5 + 0.5 * 2 / 3, 1e-12);
  // All tied: precision is prevalence.
  EXPECT_NEAR(average_precision(Cases{{true, 0.5}, {false, 0.5}, {false, 0.5}, {false, 0.5}}), 0.25, 1e-12);
  EXPECT_TRUE(std::isnan(average_precision(Cases{{false, 0.5}})));
}

TEST(BrierScore, IsTheMeanSquaredDistance) {
  EXPECT_NEAR(brier_score(Cases{{false, 0.1}, {true, 0.9}, {true, 0.8}, {false, 0.3}}), 0.0375, 1e-12);
  EXPECT_TRUE(std::isnan(brier_score({})));
}

TEST(CalibrationError, WeighsTheGapsOfTheBins) {
  // Bins of 1/2: (0.1, 0.3) with one positive, gap |0.4 - 1| over 2; (0.8, 1.0) with two, |1.8 - 2|.
  EXPECT_NEAR(expected_calibration_error(Cases{{false, 0.1}, {true, 0.3}, {true, 0.8}, {true, 1.0}}, 2),
              (0.6 + 0.2) / 4, 1e-12);
  EXPECT_NEAR(expected_calibration_error(Cases{{false, 0.0}, {true, 1.0}}), 0.0, 1e-12);
}

TEST(CalibrationError, PutsABinsUpperEdgeIntoIt) {
  // With two bins 0.5 belongs to the lower one, beside 0.25.
  EXPECT_NEAR(expected_calibration_error(Cases{{true, 0.5}, {false, 0.25}}, 2), 0.25 / 2, 1e-12);
  EXPECT_NEAR(expected_calibration_error(Cases{{true, 0.5}, {false, 0.75}}, 2), (0.5 + 0.75) / 2, 1e-12);
}

TEST(Measure, CountsAtOrAboveTheThresholdAsPositive) {
  const Metrics metrics = measure(
      Cases{{true, 0.9}, {true, 0.7}, {true, 0.2}, {false, 0.7}, {false, 0.6}, {false, 0.3}, {false, 0.1}},
      0.7);
  EXPECT_EQ(metrics.n, 7);
  EXPECT_EQ(metrics.confusion.true_positive, 2);
  EXPECT_EQ(metrics.confusion.false_positive, 1);
  EXPECT_EQ(metrics.confusion.true_negative, 3);
  EXPECT_EQ(metrics.confusion.false_negative, 1);
  EXPECT_DOUBLE_EQ(metrics.accuracy.value, 5.0 / 7);
  EXPECT_DOUBLE_EQ(metrics.sensitivity.value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.specificity.value, 3.0 / 4);
  EXPECT_DOUBLE_EQ(metrics.ppv.value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.npv.value, 3.0 / 4);
  EXPECT_DOUBLE_EQ(metrics.f1.value, 2.0 * 2 / (2 * 2 + 1 + 1));
  EXPECT_DOUBLE_EQ(metrics.accuracy.low, proportion(5, 7).low);
}

TEST(Measure, HoldsEveryValueInItsInterval) {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    const Metrics m = measure(make_cases(40, 60, 1.5, seed), 0.5, 200, seed);
    for (const Estimate& e : {m.accuracy, m.sensitivity, m.specificity, m.ppv, m.npv, m.f1, m.auc,
                              m.average_precision, m.brier, m.ece}) {
      EXPECT_LE(0.0, e.low);
      EXPECT_LT(e.low, e.high);
      EXPECT_LE(e.low, e.value);
      EXPECT_LE(e.value, e.high);
      EXPECT_LE(e.high, 1.0);
    }
  }
}

TEST(Measure, DoesNotDependOnTheOrderOfCases) {
  Cases cases = make_cases(30, 50, 1.0, 6, 10);
  const std::string before = to_json(measure(cases, 0.5)).dump();
  std::reverse(cases.begin(), cases.end());
  EXPECT_EQ(to_json(measure(cases, 0.5)).dump(), before);
}

TEST(Measure, GivesDeLongsIntervalByItsDefinition) {
  for (const int levels : {0, 15}) {
    const Cases cases = make_cases(45, 80, 1.2, 7, levels);
    std::vector<double> of_positives;
    std::vector<double> of_negatives;
    for (const ScoredCase& own : cases) {
      double rightly = 0;
      double others = 0;
      for (const ScoredCase& other : cases) {
        if (other.positive == own.positive) continue;
        ++others;
        if (own.probability == other.probability)
          rightly += 0.5;
        else if ((own.probability > other.probability) == own.positive)
          ++rightly;
      }
      (own.positive ? of_positives : of_negatives).push_back(rightly / others);
    }
    const double error = std::hypot(standard_deviation(of_positives) / std::sqrt(45.0),
                                    standard_deviation(of_negatives) / std::sqrt(80.0));
    const Estimate estimate = measure(cases, 0.5, 0).auc;
    const double area = auc(cases);
    const auto logit = [](double p) { return std::log(p / (1 - p)); };
    const double half = 1.959963984540054 * error / (area * (1 - area));
    EXPECT_NEAR(estimate.value, area, 1e-12);
    EXPECT_NEAR(logit(estimate.low), logit(area) - half, 1e-9);
    EXPECT_NEAR(logit(estimate.high), logit(area) + half, 1e-9);
  }
}

TEST(Measure, GivesAnAucIntervalThatCoversTheTruth) {
  // For two unit normals a distance d apart the true AUC is Phi(d / sqrt 2).
  const double truth = 0.5 * std::erfc(-1.5 / 2);
  int covered = 0;
  constexpr int kTrials = 600;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Estimate e = measure(make_cases(60, 80, 1.5, 1000 + static_cast<std::uint64_t>(trial)), 0.5, 0).auc;
    covered += e.low <= truth && truth <= e.high ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(covered) / kTrials, 0.95, 0.025);
}

TEST(Measure, AgreesBetweenDeLongAndTheBootstrap) {
  const Cases cases = make_cases(150, 200, 1.3, 8);
  Random random(9);
  std::vector<double> areas;
  areas.reserve(1000);
  for (int resample = 0; resample < 1000; ++resample) {
    Cases drawn;
    drawn.reserve(cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) drawn.push_back(cases[random.below(cases.size())]);
    areas.push_back(auc(drawn));
  }
  const Estimate estimate = measure(cases, 0.5, 0).auc;
  EXPECT_NEAR((estimate.high - estimate.low) / (2 * 1.96 * standard_deviation(areas)), 1.0, 0.1);
}

TEST(Measure, GivesBootstrapIntervalsThatAgreeWithTheNormalOnesForMeans) {
  const Cases cases = make_cases(200, 300, 1.0, 10);
  std::vector<double> squares;
  squares.reserve(cases.size());
  for (const ScoredCase& c : cases)
    squares.push_back((c.probability - (c.positive ? 1 : 0)) * (c.probability - (c.positive ? 1 : 0)));
  const double half = 1.96 * standard_deviation(squares) / std::sqrt(500.0);
  const Estimate brier = measure(cases, 0.5, 4000).brier;
  EXPECT_NEAR(brier.value - brier.low, half, 0.1 * half);
  EXPECT_NEAR(brier.high - brier.value, half, 0.1 * half);
}

TEST(Measure, StaysCautiousAboutPerfectSeparation) {
  Cases cases;
  for (int i = 0; i < 20; ++i) cases.push_back({true, 0.9});
  for (int i = 0; i < 500; ++i) cases.push_back({false, 0.1});
  const Estimate e = measure(cases, 0.5, 0).auc;
  EXPECT_EQ(e.value, 1.0);
  EXPECT_EQ(e.high, 1.0);
  // As 20 successes in 20 trials: near the rule of three, 1 - 3 / 20.
  EXPECT_DOUBLE_EQ(e.low, proportion(20, 20).low);
  EXPECT_NEAR(e.low, 1 - 3.0 / 20, 0.02);
}

TEST(Measure, StaysCautiousAboutASingleCaseOfAClass) {
  const Estimate e = measure(Cases{{true, 0.6}, {false, 0.1}, {false, 0.7}, {false, 0.2}}, 0.5, 0).auc;
  EXPECT_NEAR(e.value, 2.0 / 3, 1e-12);
  EXPECT_LT(e.low, 0.2);
  EXPECT_GT(e.high, 0.9);
}

TEST(Measure, LeavesOutWhatOneClassCannotTell) {
  const Metrics m = measure(Cases{{false, 0.2}, {false, 0.6}}, 0.5, 50);
  expect_missing(m.auc);
  expect_missing(m.sensitivity);
  expect_missing(m.average_precision);
  EXPECT_DOUBLE_EQ(m.specificity.value, 0.5);
  EXPECT_DOUBLE_EQ(m.brier.value, 0.2);
}

TEST(Measure, LeavesOutEverythingWithoutCases) {
  const Metrics m = measure({}, 0.5);
  EXPECT_EQ(m.n, 0);
  expect_missing(m.accuracy);
  expect_missing(m.f1);
  expect_missing(m.ece);
}

TEST(Measure, RefusesWhatIsNoProbability) {
  for (const double probability : {-0.1, 1.1, std::nan("")})
    EXPECT_THROW(measure(Cases{{true, probability}}, 0.5), std::invalid_argument);
}

TEST(MetricsJson, HasEveryFigureAndNullWhereThereIsNone) {
  const nlohmann::ordered_json json =
      nlohmann::ordered_json::parse(to_json(measure(Cases{{false, 0.2}, {false, 0.6}}, 0.5, 50)).dump());
  EXPECT_EQ(json["n"], 2);
  EXPECT_EQ(json["threshold"], 0.5);
  EXPECT_EQ(json["specificity"]["value"], 0.5);
  EXPECT_EQ(json["confusion"]["false_positive"], 1);
  EXPECT_EQ(json["confusion"]["true_negative"], 1);
  for (const std::string figure :
       {"accuracy", "auc", "sensitivity", "ppv", "npv", "f1", "average_precision", "brier", "ece"})
    for (const std::string part : {"value", "low", "high"}) EXPECT_TRUE(json.at(figure).contains(part));
  EXPECT_TRUE(json["auc"]["value"].is_null());
  EXPECT_TRUE(json["auc"]["low"].is_null());
  EXPECT_TRUE(json["auc"]["high"].is_null());
}

}  // namespace
}  // namespace xray
