#include "train/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "support/phantom.h"

namespace xray {
namespace {

Plane film() {
  return resize(test::make_phantom(), 96, 96);
}

double mean_difference(const Plane& a, const Plane& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    sum += std::abs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]));
  return sum / static_cast<double>(a.values.size());
}

TEST(Augment, LeavesThePictureAloneWhenAllIsOff) {
  const Plane before = film();
  Random random(1);
  EXPECT_LT(mean_difference(augment(before, no_augmentation(), random), before), 0.01);
}

TEST(Augment, DependsOnItsRandomNumbersAlone) {
  const Plane before = film();
  Random one(5);
  Random same(5);
  Random other(6);
  const Plane first = augment(before, {}, one);
  EXPECT_EQ(first.values, augment(before, {}, same).values);
  EXPECT_NE(first.values, augment(before, {}, other).values);
}

TEST(Augment, KeepsSizeAndGrayLevelsInRange) {
  const Plane before = film();
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const Plane after = augment(before, {}, random);
    ASSERT_EQ(after.width, before.width);
    ASSERT_EQ(after.height, before.height);
    ASSERT_EQ(after.values.size(), before.values.size());
    const auto [low, high] = std::minmax_element(after.values.begin(), after.values.end());
    ASSERT_GE(*low, 0.0F);
    ASSERT_LE(*high, 255.0F);
  }
}

TEST(Augment, FlipExchangesLeftAndRight) {
  const Plane before = film();
  AugmentOptions options = no_augmentation();
  options.flip = 1;
  Random random(1);
  const Plane after = augment(before, options, random);
  for (int y = 0; y < before.height; y += 7) {
    for (int x = 0; x < before.width; x += 5) {
      const auto row = static_cast<std::size_t>(y * before.width);
      EXPECT_NEAR(after.values[row + static_cast<std::size_t>(before.width - 1 - x)],
                  before.values[row + static_cast<std::size_t>(x)], 0.01F);
    }
  }
}

TEST(Augment, EveryChangeChangesThePicture) {
  const Plane before = film();
  const std::pair<const char*, void (*)(AugmentOptions&)> changes[] = {
      {"rotate", [](AugmentOptions& o) { o.rotate_degrees = 10; }},
      {"shear", [](AugmentOptions& o) { o.shear = 0.2; }},
      {"shift", [](AugmentOptions& o) { o.shift = 0.1; }},
      {"zoom", [](AugmentOptions& o) { o.zoom_in = 1.5; }},
      {"aspect", [](AugmentOptions& o) { o.aspect = 0.3; }},
      {"gamma", [](AugmentOptions& o) { o.gamma = 0.5; }},
      {"tone_curve", [](AugmentOptions& o) { o.tone_curve = 1; }},
      {"clip", [](AugmentOptions& o) { o.clip = 1; }},
      {"blur", [](AugmentOptions& o) { o.blur = 1; }},
      {"sharpen", [](AugmentOptions& o) { o.sharpen = 1; }},
      {"resample", [](AugmentOptions& o) { o.resample = 1; }},
      {"noise", [](AugmentOptions& o) { o.noise = 1; }},
      {"jpeg", [](AugmentOptions& o) { o.jpeg = 1; }},
      {"markers", [](AugmentOptions& o) { o.markers = 1; }},
      {"border", [](AugmentOptions& o) { o.border = 1; }},
      {"erase", [](AugmentOptions& o) { o.erase = 1; }},
  };
  for (const auto& [name, change] : changes) {
    AugmentOptions options = no_augmentation();
    change(options);
    Random random(3);
    EXPECT_GT(mean_difference(augment(before, options, random), before), 0.05) << name;
  }
}

}  // namespace
}  // namespace xray
