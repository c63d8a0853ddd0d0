#include "perturb/lesions.h"

#include <gtest/gtest.h>

#include <numeric>

#include "perturb/opacity.h"

namespace xray {
namespace {

constexpr int kSide = 64;

/// A lung in the left half of a dark film with bright tissue at the right.
Plane film() {
  Plane plane{kSide, kSide, std::vector<float>(std::size_t{kSide} * kSide, 60)};
  for (std::size_t i = 0; i < plane.values.size(); ++i)
    if (i % kSide >= kSide / 2) plane.values[i] = 200;
  return plane;
}

Plane lung() {
  Plane mask{kSide, kSide, std::vector<float>(std::size_t{kSide} * kSide)};
  for (std::size_t i = 0; i < mask.values.size(); ++i)
    if (i % kSide < kSide / 2) mask.values[i] = 255;
  return mask;
}

TEST(Lesions, WhitenTheLungsAloneAsFarAsTheyTell) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Plane plane = film();
    const Plane before = plane;
    const Plane mask = lung();
    Random random(seed);
    const Plane share = draw_lesions(plane, mask, random);
    ASSERT_EQ(share.values.size(), plane.values.size());
    double sum = 0;
    for (std::size_t i = 0; i < plane.values.size(); ++i) {
      ASSERT_GE(share.values[i], 0);
      ASSERT_LE(share.values[i], 1);
      ASSERT_NEAR(plane.values[i], before.values[i] + share.values[i] * (200 - before.values[i]), 0.01);
      if (mask.values[i] < 1) {
        ASSERT_EQ(share.values[i], 0);
      }
      sum += static_cast<double>(share.values[i]);
    }
    EXPECT_GT(sum, 1) << "seed " << seed;
  }
}

TEST(Lesions, LeaveAFilmWithoutLungsAlone) {
  Plane plane = film();
  const Plane empty{kSide, kSide, std::vector<float>(plane.values.size())};
  Random random(1);
  const Plane share = draw_lesions(plane, empty, random);
  EXPECT_EQ(plane.values, film().values);
  EXPECT_EQ(std::accumulate(share.values.begin(), share.values.end(), 0.0), 0);
}

TEST(OpacityPatches, FadeFromTheMiddleAndStayInTheLungs) {
  std::vector<bool> inside(std::size_t{kSide} * kSide, true);
  inside[std::size_t{32} * kSide + 32] = false;
  const auto opacity = opacity_of({.x = 32.5, .y = 32.5, .radius = 10, .density = 0.8}, inside, kSide, kSide);
  const auto at = [&](int x, int y) { return opacity[static_cast<std::size_t>(y * kSide + x)]; };
  EXPECT_EQ(at(32, 32), 0);
  EXPECT_NEAR(at(33, 32), 0.8, 0.03);
  EXPECT_NEAR(at(37, 32), 0.4, 0.01);
  EXPECT_EQ(at(43, 32), 0);
  const Image image(kSide, kSide, Image::Pixels8(std::size_t{kSide} * kSide, 50));
  const Image laid = with_opacity(image, inside, opacity);
  // The one pixel outside of the lungs is as dark as they are: nothing to become white as.
  EXPECT_EQ(laid.pixels8()[std::size_t{32} * kSide + 33], 50);
}

}  // namespace
}  // namespace xray
