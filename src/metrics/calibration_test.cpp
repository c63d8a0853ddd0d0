#include "metrics/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "common/random.h"

namespace xray {
namespace {

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// Cases whose true log-odds are `slope` * stated log-odds + `intercept`.
std::vector<ScoredCase> distorted(double slope, double intercept, int count) {
  Random random(3);
  std::vector<ScoredCase> cases;
  for (int i = 0; i < count; ++i) {
    const double stated = random.uniform(-3, 3);
    cases.push_back({random.uniform() < sigmoid(slope * stated + intercept), sigmoid(stated)});
  }
  return cases;
}

TEST(PlattScaling, FindsADistortionAgain) {
  const PlattScaling scaling = fit_platt(distorted(2.0, -0.7, 50000));
  EXPECT_NEAR(scaling.slope, 2.0, 0.06);
  EXPECT_NEAR(scaling.intercept, -0.7, 0.06);
}

TEST(PlattScaling, MakesCasesCalibrated) {
  const auto cases = distorted(0.4, 1.0, 20000);
  const PlattScaling scaling = fit_platt(cases);
  std::vector<ScoredCase> calibrated = cases;
  for (ScoredCase& c : calibrated) c.probability = apply(scaling, c.probability);
  EXPECT_GT(expected_calibration_error(cases), 0.1);
  EXPECT_LT(expected_calibration_error(calibrated), 0.02);
}

TEST(PlattScaling, StaysFiniteWhereTheClassesDoNotOverlap) {
  const std::vector<ScoredCase> cases = {{false, 0.0}, {false, 0.1}, {true, 0.9}, {true, 1.0}};
  const PlattScaling scaling = fit_platt(cases);
  EXPECT_TRUE(std::isfinite(scaling.slope));
  EXPECT_TRUE(std::isfinite(scaling.intercept));
  EXPECT_GT(apply(scaling, 0.9), 0.5);
  EXPECT_LT(apply(scaling, 0.9), 1.0);
}

TEST(PlattScaling, IsTheIdentityWithOneClassOnly) {
  const std::vector<ScoredCase> cases = {{true, 0.3}, {true, 0.6}};
  EXPECT_NEAR(apply(fit_platt(cases), 0.42), 0.42, 1e-9);
}

}  // namespace
}  // namespace xray
