#include "perturb/draw.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/phantom.h"

namespace xray {
namespace {

Plane flat(int width, int height, float value) {
  return {width, height,
          std::vector<float>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), value)};
}

std::int64_t lit(const Plane& plane) {
  return std::ranges::count_if(plane.values, [](float v) { return v > 0; });
}

TEST(FillBox, PaintsWhatLiesInsideThePlane) {
  Plane plane = flat(10, 8, 0);
  fill_box(plane, -3, 6, 5, 100, 200);
  EXPECT_EQ(lit(plane), 2 * 2);
  EXPECT_EQ(at(plane, 1, 7), 200);
  EXPECT_EQ(at(plane, 2, 7), 0);
  EXPECT_EQ(at(plane, 1, 5), 0);
}

TEST(Stroke, JoinsItsEnds) {
  Plane plane = flat(20, 20, 0);
  stroke(plane, 2, 3, 12, 13, 1, 9);
  for (int i = 0; i <= 10; ++i) EXPECT_EQ(at(plane, 2 + i, 3 + i), 9);
  EXPECT_EQ(lit(plane), 11);
}

TEST(DrawText, WritesLettersThatCanBeToldApart) {
  const auto written = [](const char* text) {
    Plane plane = flat(40, 24, 0);
    draw_text(plane, text, 2, 2, 20, 0.1, 255);
    return plane.values;
  };
  const std::string letters = "ACEHIKLMNPRSTUVY01234678 9.:";
  for (const char a : letters)
    for (const char b : letters)
      EXPECT_EQ(a == b, written(std::string(1, a).c_str()) == written(std::string(1, b).c_str())) << a << b;
}

TEST(DrawText, StaysInTheBoxOfItsLetters) {
  Plane plane = flat(60, 40, 0);
  draw_text(plane, "MR", 10, 5, 20, 0.1, 255);
  for (int y = 0; y < plane.height; ++y)
    for (int x = 0; x < plane.width; ++x)
      if (at(plane, x, y) > 0) {
        EXPECT_TRUE(x >= 10 && x < 40 && y >= 5 && y < 25) << x << ' ' << y;
      }
  EXPECT_GT(at(plane, 10, 5), 0);
  EXPECT_GT(at(plane, 25, 24), 0);
}

TEST(Blur, KeepsTheMeanAndSpreadsAPointAsAGaussian) {
  Plane plane = flat(41, 41, 0);
  at(plane, 20, 20) = 1000;
  blur(plane, 3);
  EXPECT_NEAR(mean_level(plane) * 41 * 41, 1000, 0.1);
  EXPECT_NEAR(at(plane, 20, 20), 1000 / (2 * M_PI * 9), 0.3);
  EXPECT_NEAR(at(plane, 23, 20) / at(plane, 20, 20), std::exp(-0.5), 1e-4);
  EXPECT_FLOAT_EQ(at(plane, 23, 20), at(plane, 20, 17));
}

TEST(Smooth, LeavesAFlatPlaneUntilItsRim) {
  Plane plane = flat(7, 1, 80);
  smooth(plane, 3);
  for (const float value : plane.values) EXPECT_FLOAT_EQ(value, 80);
}

TEST(Recompress, CostsDetailByQuality) {
  const Plane before = resize(test::make_phantom(), 200, 160);
  const auto distance = [&](int quality) {
    const Plane after = recompress(before, quality);
    EXPECT_EQ(after.width, 200);
    EXPECT_EQ(after.height, 160);
    double sum = 0;
    for (std::size_t i = 0; i < after.values.size(); ++i)
      sum += std::abs(static_cast<double>(after.values[i] - before.values[i]));
    return sum / static_cast<double>(after.values.size());
  };
  EXPECT_LT(distance(100), 1);
  EXPECT_GT(distance(10), 2 * distance(90));
}

TEST(Recompress, LeavesWhatJpegCannotHold) {
  const Plane before = flat(70000, 1, 77.25F);
  EXPECT_EQ(recompress(before, 30).values, before.values);
}

}  // namespace
}  // namespace xray
