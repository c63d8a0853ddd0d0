#include "quantize/ranges.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "common/random.h"

namespace xray {
namespace {

Grid grid_of(const std::vector<float>& values) {
  ValueHistogram histogram;
  histogram.widen(values);
  histogram.count(values);
  return histogram.grid();
}

TEST(ValueHistogram, SpreadsTheGridOverEvenlySpreadValues) {
  std::vector<float> values;
  for (int i = 0; i <= 10'000; ++i) values.push_back(static_cast<float>(i) * 6e-4F);
  const Grid grid = grid_of(values);
  EXPECT_FALSE(grid.is_signed);
  EXPECT_NEAR(grid.scale, 6.0 / 255, 6.0 / 255 * 0.02);
}

TEST(ValueHistogram, TakesASignedGridWhereValuesLieBelowZero) {
  const Grid grid = grid_of({-1.0F, -0.5F, 0.0F, 0.5F, 2.0F});
  EXPECT_TRUE(grid.is_signed);
  EXPECT_NEAR(grid.scale, 2.0 / 127, 2.0 / 127 * 0.05);
}

TEST(ValueHistogram, ClipsWhatIsRareAndFarAwayForTheSakeOfTheRest) {
  Random random(3);
  constexpr int kCount = 100'000;
  std::vector<float> values(kCount);
  for (float& value : values) value = static_cast<float>(std::abs(random.normal()));
  values.push_back(10);
  // (10 - t)^2 + kCount (t / 255)^2 / 12, the squared error of a range up to t, is least here.
  const double best = 10 / (1 + kCount / (12.0 * 255 * 255));
  EXPECT_NEAR(grid_of(values).scale * 255, best, 0.15);
}

TEST(ValueHistogram, HasAGridEvenWithoutUsableValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(grid_of({}).scale, 1.0F);
  EXPECT_EQ(grid_of({0.0F, 0.0F}).scale, 1.0F);
  EXPECT_EQ(grid_of({kInfinity, -kInfinity, std::nanf("")}).scale, 1.0F);
  EXPECT_EQ(grid_of({std::numeric_limits<float>::denorm_min()}).scale, 1.0F);
  EXPECT_TRUE(std::isnormal(grid_of({-3e38F, 3e38F}).scale));
}

}  // namespace
}  // namespace xray
