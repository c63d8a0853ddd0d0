#include "common/correlation.h"

#include <gtest/gtest.h>

#include <vector>

namespace xray {
namespace {

TEST(Correlation, IsOneAlongALineAndZeroWithoutVariation) {
  const std::vector<double> rising = {1, 2, 3};
  EXPECT_NEAR(correlation(rising, {2, 4, 6}), 1, 1e-12);
  EXPECT_NEAR(correlation(rising, {6, 4, 2}), -1, 1e-12);
  EXPECT_EQ(correlation(rising, {5, 5, 5}), 0);
}

}  // namespace
}  // namespace xray
