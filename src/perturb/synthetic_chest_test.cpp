#include "perturb/synthetic_chest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace xray {
namespace {

double brightness(const Image& film) {
  const auto pixels = film.pixels8();
  return std::accumulate(pixels.begin(), pixels.end(), 0.0) / static_cast<double>(pixels.size());
}

TEST(SyntheticChest, IsTheSameEachTimeAndAnotherWithAnotherSeed) {
  const Image film = make_chest(3);
  EXPECT_EQ(film.width(), 640);
  EXPECT_EQ(film.height(), 560);
  EXPECT_TRUE(std::ranges::equal(film.pixels8(), make_chest(3).pixels8()));
  EXPECT_FALSE(std::ranges::equal(film.pixels8(), make_chest(4).pixels8()));
}

TEST(SyntheticChest, GrowsWhiterWithOpacity) {
  EXPECT_LT(brightness(make_chest(1, 0)) + 1, brightness(make_chest(1, 0.5)));
  EXPECT_LT(brightness(make_chest(1, 0.5)) + 1, brightness(make_chest(1, 1)));
}

}  // namespace
}  // namespace xray
