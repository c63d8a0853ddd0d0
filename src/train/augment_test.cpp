#include "train/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "support/phantom.h"
#include "train/picture_set.h"

namespace xray {
namespace {

Plane film() {
  return resize(test::make_phantom(), 96, 96);
}

/// Bent at its own size.
Plane bend(const Plane& plane, const AugmentOptions& options, Random& random) {
  return augment(whole_picture(to_image(plane)), plane.width, plane.height, options, random).picture;
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
  EXPECT_LT(mean_difference(bend(before, no_augmentation(), random), before), 0.5);
}

TEST(Augment, DependsOnItsRandomNumbersAlone) {
  const Plane before = film();
  Random one(5);
  Random same(5);
  Random other(6);
  const Plane first = bend(before, {}, one);
  EXPECT_EQ(first.values, bend(before, {}, same).values);
  EXPECT_NE(first.values, bend(before, {}, other).values);
}

TEST(Augment, KeepsSizeAndGrayLevelsInRange) {
  const Plane before = film();
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const Plane after = bend(before, {}, random);
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
  const Plane after = bend(before, options, random);
  for (int y = 0; y < before.height; y += 7) {
    for (int x = 0; x < before.width; x += 5) {
      const auto row = static_cast<std::size_t>(y * before.width);
      EXPECT_NEAR(after.values[row + static_cast<std::size_t>(before.width - 1 - x)],
                  before.values[row + static_cast<std::size_t>(x)], 0.51F);
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
    EXPECT_GT(mean_difference(bend(before, options, random), before), 0.05) << name;
  }
}

TEST(Augment, ShowsTheFrameAlone) {
  // Black but for the frame.
  TrainingPicture picture = whole_picture(Image(64, 64, Image::Pixels8(64 * 64, 0)));
  for (int y = 8; y < 40; ++y)
    for (int x = 16; x < 48; ++x) picture.pixels[static_cast<std::size_t>(y * 64 + x)] = 200;
  picture.frame = {16, 8, 32, 32};
  Random random(1);
  for (const float value : augment(picture, 32, 32, no_augmentation(), random).picture.values)
    ASSERT_NEAR(value, 200, 0.01);
}

TEST(Augment, BendsTheMaskWithThePicture) {
  // A picture that is its own mask stays so.
  const Image lungs = test::make_phantom_lungs({.width = 96, .height = 96});
  TrainingPicture picture = whole_picture(lungs);
  picture.mask = picture.pixels;
  AugmentOptions options = no_augmentation();
  options.rotate_degrees = 20;
  options.shift = 0.1;
  options.zoom_in = 1.3;
  options.zoom_out = 0.8;
  options.flip = 0.5;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Augmented bent = augment(picture, 64, 64, options, random);
    // Beyond the film there is no lung, whatever the picture shows there.
    double difference = 0;
    for (std::size_t i = 0; i < bent.mask.values.size(); ++i)
      if (bent.mask.values[i] > 0)
        difference =
            std::max(difference, std::abs(static_cast<double>(bent.mask.values[i] - bent.picture.values[i])));
    EXPECT_LT(difference, 130) << seed;
    EXPECT_GT(std::accumulate(bent.mask.values.begin(), bent.mask.values.end(), 0.0), 0);
  }
}

TEST(Augment, LeavesTheLungsAloneOnAnEvenGround) {
  const test::PhantomOptions chest{.width = 96, .height = 96};
  TrainingPicture picture = whole_picture(test::make_phantom(chest));
  const Image lungs = test::make_phantom_lungs(chest);
  picture.mask.assign(lungs.pixels8().begin(), lungs.pixels8().end());
  AugmentOptions options = no_augmentation();
  options.surroundings = 1;
  Random random(1);
  const Plane shown = augment(picture, 96, 96, options, random).picture;
  int inside = 0;
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    inside += picture.mask[i] == 255 && std::abs(shown.values[i] - picture.pixels[i]) < 0.5F ? 1 : 0;
  EXPECT_GT(inside, 0.8 * static_cast<double>(std::ranges::count(picture.mask, 255)));
  for (int x = 0; x < 96; ++x) EXPECT_NEAR(shown.values[static_cast<std::size_t>(x)], shown.values[0], 0.01);
}

TEST(Augment, ConsolidatesNormalFilmsInTheirLungsAlone) {
  const test::PhantomOptions chest{.width = 96, .height = 96};
  TrainingPicture picture = whole_picture(test::make_phantom(chest));
  const Image lungs = test::make_phantom_lungs(chest);
  picture.mask.assign(lungs.pixels8().begin(), lungs.pixels8().end());
  AugmentOptions options = no_augmentation();
  options.consolidation = 1;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Random random(seed);
    const Augmented ill = augment(picture, 96, 96, options, random);
    EXPECT_TRUE(ill.consolidated);
    double brighter = 0;
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
      const double change = static_cast<double>(ill.picture.values[i]) - picture.pixels[i];
      if (picture.mask[i] == 0) {
        ASSERT_NEAR(change, 0, 0.01);
      }
      brighter += change;
    }
    EXPECT_GT(brighter / static_cast<double>(std::ranges::count(picture.mask, 255)), 1) << seed;
  }
  picture.target = 1;
  Random random(1);
  EXPECT_FALSE(augment(picture, 96, 96, options, random).consolidated) << "it is ill already";
}

TEST(Augment, LaysOpacitiesIntoTheLungsAlone) {
  const test::PhantomOptions chest{.width = 96, .height = 96};
  TrainingPicture picture = whole_picture(test::make_phantom(chest));
  const Image lungs = test::make_phantom_lungs(chest);
  picture.mask.assign(lungs.pixels8().begin(), lungs.pixels8().end());
  AugmentOptions options = no_augmentation();
  options.opacity = 1;
  double brighter = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Random random(seed);
    const Augmented clouded = augment(picture, 96, 96, options, random);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
      const double change = static_cast<double>(clouded.picture.values[i]) - picture.pixels[i];
      if (picture.mask[i] == 0) {
        ASSERT_NEAR(change, 0, 0.01);
      }
      ASSERT_GE(change, -0.01);
      brighter += change;
    }
  }
  EXPECT_GT(brighter, 0);
}

}  // namespace
}  // namespace xray
