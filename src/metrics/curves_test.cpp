#include "metrics/curves.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "common/random.h"

namespace xray {
namespace {

using Cases = std::vector<ScoredCase>;

/// Two overlapping normal distributions `shift` apart, squashed into 0..1.
Cases make_cases(int per_class, double shift, std::uint64_t seed = 1) {
  Random random(seed);
  Cases cases;
  for (int i = 0; i < 2 * per_class; ++i) {
    const bool positive = i < per_class;
    cases.push_back({positive, 1 / (1 + std::exp(-(random.normal() + (positive ? shift : 0))))});
  }
  return cases;
}

double area_under(const std::vector<CurvePoint>& points) {
  double area = 0;
  for (std::size_t i = 1; i < points.size(); ++i)
    area += (points[i].x - points[i - 1].x) * (points[i].y + points[i - 1].y) / 2;
  return area;
}

TEST(RocCurve, HasTheAreaThatRanksGive) {
  const Cases cases = make_cases(100, 1.0);
  const Curve curve = roc_curve(cases, 0);
  EXPECT_NEAR(area_under(curve.points), auc(cases), 1e-12);
  EXPECT_TRUE(std::isinf(curve.points.front().threshold));
  EXPECT_EQ(curve.points.front().x, 0);
  EXPECT_EQ(curve.points.back().x, 1);
  EXPECT_EQ(curve.points.back().y, 1);
}

TEST(RocCurve, GoesThroughWhatAThresholdReaches) {
  const Cases cases = {{true, 0.9}, {false, 0.8}, {true, 0.7}, {true, 0.6}, {false, 0.1}};
  const Curve curve = roc_curve(cases, 0);
  for (const CurvePoint& point : curve.points) {
    if (std::isinf(point.threshold)) continue;
    const Metrics there = measure(cases, point.threshold, 0);
    EXPECT_DOUBLE_EQ(point.y, there.sensitivity.value) << point.threshold;
    EXPECT_DOUBLE_EQ(point.x, 1 - there.specificity.value) << point.threshold;
  }
  // Half of the false alarms allowed: everything down to 0.6, without the normal case at 0.1.
  EXPECT_DOUBLE_EQ(curve.band[(kBandPoints - 1) / 2].y.value, 1);
  // None allowed: the one positive above the first false alarm.
  EXPECT_DOUBLE_EQ(curve.band.front().y.value, 1.0 / 3);
}

TEST(RocCurve, HoldsTheTruthInItsBand) {
  // P(score of a positive > x) where P(score of a negative > x) = 1/2 is Phi(shift).
  int held = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const BandPoint half = roc_curve(make_cases(80, 1.0, seed), 200).band[(kBandPoints - 1) / 2];
    held += half.y.low <= 0.8413 && 0.8413 <= half.y.high ? 1 : 0;
  }
  EXPECT_GE(held, 34);
}

TEST(RocCurve, IsTheSameEveryTime) {
  const Cases cases = make_cases(50, 0.5);
  const Curve once = roc_curve(cases, 50, 7);
  const Curve again = roc_curve(cases, 50, 7);
  for (std::size_t i = 0; i < kBandPoints; ++i) EXPECT_EQ(once.band[i].y.low, again.band[i].y.low);
}

TEST(RocCurve, KeepsItsEndsWhenItIsThinned) {
  const Curve curve = roc_curve(make_cases(5000, 0.5), 0);
  EXPECT_EQ(curve.points.size(), kMaxCurvePoints);
  EXPECT_EQ(curve.points.front().x, 0);
  EXPECT_EQ(curve.points.back().x, 1);
}

TEST(Curves, DoNotExistWithOneClass) {
  EXPECT_TRUE(roc_curve(Cases{{true, 0.5}}).points.empty());
  EXPECT_TRUE(precision_recall_curve(Cases{{false, 0.5}}).band.empty());
  EXPECT_TRUE(roc_curve(Cases{}).points.empty());
}

TEST(PrecisionRecallCurve, GoesThroughWhatAThresholdReaches) {
  const Cases cases = {{true, 0.9}, {false, 0.8}, {true, 0.7}, {true, 0.6}, {false, 0.1}};
  const Curve curve = precision_recall_curve(cases, 0);
  for (const CurvePoint& point : curve.points) {
    const Metrics there = measure(cases, point.threshold, 0);
    EXPECT_DOUBLE_EQ(point.x, there.sensitivity.value) << point.threshold;
    EXPECT_DOUBLE_EQ(point.y, there.ppv.value) << point.threshold;
  }
  EXPECT_DOUBLE_EQ(curve.band.front().y.value, 1);
  EXPECT_DOUBLE_EQ(curve.band.back().y.value, 3.0 / 4);
}

TEST(PrecisionRecallCurve, AveragesToTheAveragePrecision) {
  const Cases cases = make_cases(400, 1.0);
  const Curve curve = precision_recall_curve(cases, 0);
  double sum = 0;
  for (const BandPoint& point : curve.band) sum += point.y.value;
  EXPECT_NEAR(sum / static_cast<double>(kBandPoints), average_precision(cases), 0.005);
}

TEST(OperatingPoints, AgreeWithMeasureAtEveryThreshold) {
  const Cases cases = make_cases(60, 1.0);
  const auto points = operating_points(cases, 20);
  ASSERT_EQ(points.size(), 21U);
  for (const OperatingPoint& point : points) {
    const Metrics there = measure(cases, point.threshold, 0);
    EXPECT_EQ(point.sensitivity.value, there.sensitivity.value);
    EXPECT_EQ(point.specificity.low, there.specificity.low);
  }
  EXPECT_EQ(points.front().sensitivity.value, 1);
  EXPECT_THROW(operating_points(cases, 0), std::invalid_argument);
}

TEST(Reliability, AddsUpToTheCalibrationError) {
  const Cases cases = make_cases(300, 1.0);
  double distance = 0;
  std::int64_t n = 0;
  for (const ReliabilityBin& bin : reliability(cases)) {
    const std::int64_t own = bin.normal + bin.pneumonia;
    n += own;
    if (own > 0) distance += static_cast<double>(own) * std::abs(bin.mean_probability - bin.observed.value);
  }
  EXPECT_EQ(n, 600);
  EXPECT_NEAR(distance / 600, expected_calibration_error(cases), 1e-12);
}

TEST(Reliability, PutsTheEndsOfTheScaleIntoTheOuterBins) {
  const auto bins = reliability(Cases{{false, 0.0}, {true, 1.0}, {false, 0.5}}, 2);
  EXPECT_EQ(bins[0].normal, 2);
  EXPECT_EQ(bins[1].pneumonia, 1);
  EXPECT_TRUE(std::isnan(reliability(Cases{}, 1)[0].mean_probability));
}

}  // namespace
}  // namespace xray
