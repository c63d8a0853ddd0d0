#include "perturb/perturb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "preprocess/preprocess.h"
#include "support/phantom.h"

namespace xray {
namespace {

using Kind = PerturbationKind;

bool same(const Image& a, const Image& b) {
  if (a.width() != b.width() || a.height() != b.height() || a.bits() != b.bits()) return false;
  return a.bits() == 8 ? std::ranges::equal(a.pixels8(), b.pixels8())
                       : std::ranges::equal(a.pixels16(), b.pixels16());
}

const Perturbation& named(std::string_view name) {
  return *std::ranges::find(kRobustnessSuite, name, &Perturbation::name);
}

Image flat(int side, std::uint8_t level) {
  return {side, side, Image::Pixels8(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), level)};
}

Image changed(const Image& image, std::string_view name, std::uint64_t seed = 1) {
  return perturb(image, named(name), seed);
}

Plane levels(const Image& image) {
  return resize(image, image.width(), image.height());
}

float level(const Image& image, double x, double y) {
  const Plane plane = levels(image);
  return plane
      .values[static_cast<std::size_t>(y * (plane.height - 1)) * static_cast<std::size_t>(plane.width) +
              static_cast<std::size_t>(x * (plane.width - 1))];
}

double mean(const Image& image) {
  const Plane plane = levels(image);
  double sum = 0;
  for (const float v : plane.values) sum += static_cast<double>(v);
  return sum / static_cast<double>(plane.values.size());
}

TEST(RobustnessSuite, NamesEachChangeOnceAndTheOriginalFirst) {
  std::set<std::string_view> names;
  std::set<std::string_view> labels;
  for (const Perturbation& p : kRobustnessSuite) {
    EXPECT_TRUE(names.insert(p.name).second) << p.name;
    EXPECT_TRUE(labels.insert(p.label).second) << p.label;
    EXPECT_EQ(p.kind == Kind::kOriginal, &p == &kRobustnessSuite.front()) << p.name;
    EXPECT_EQ(p.should_be_refused, p.kind == Kind::kFlipUpsideDown) << p.name;
  }
}

TEST(Perturb, ChangesEveryPictureButTheOriginal) {
  for (const int bits : {8, 16}) {
    const Image film = test::make_phantom({.bits = bits});
    for (const Perturbation& p : kRobustnessSuite)
      EXPECT_EQ(same(perturb(film, p, 1), film), p.kind == Kind::kOriginal) << p.name << ' ' << bits;
  }
}

TEST(Perturb, KeepsSizeAndDepthButWhereTheKindSaysOtherwise) {
  for (const int bits : {8, 16}) {
    const Image film = test::make_phantom({.width = 300, .height = 200, .bits = bits});
    for (const Perturbation& p : kRobustnessSuite) {
      int width = 300;
      int height = 200;
      int depth = bits;
      if (p.kind == Kind::kScale) {
        width = static_cast<int>(300 * p.amount);
        height = static_cast<int>(200 * p.amount);
      } else if (p.kind == Kind::kCrop) {
        width -= static_cast<int>(600 * p.amount);
        height -= static_cast<int>(400 * p.amount);
      } else if (p.kind == Kind::kBlackBorder || p.kind == Kind::kWhiteBorder) {
        width += 32;
        height += 32;
      }
      if (p.kind == Kind::kJpeg || p.kind == Kind::kScreenPhotograph) depth = 8;
      if (p.kind == Kind::kDepth) depth = 24 - bits;
      if (p.kind == Kind::kRawTwelveBits) depth = 16;
      const Image after = perturb(film, p, 1);
      EXPECT_EQ(after.width(), width) << p.name;
      EXPECT_EQ(after.height(), height) << p.name;
      EXPECT_EQ(after.bits(), depth) << p.name;
      EXPECT_EQ(after.source_width(), width) << p.name;
    }
  }
}

TEST(Perturb, DependsOnPictureKindAndSeedAlone) {
  const Image film = test::make_phantom({.width = 160, .height = 120});
  std::vector<Image> first;
  first.reserve(kRobustnessSuite.size());
  for (const Perturbation& p : kRobustnessSuite) first.push_back(perturb(film, p, 5));
  // Backwards and from another thread: no state may carry over.
  std::jthread([&] {
    for (std::size_t i = kRobustnessSuite.size(); i-- > 0;)
      EXPECT_TRUE(same(perturb(film, kRobustnessSuite[i], 5), first[i])) << kRobustnessSuite[i].name;
  }).join();
  for (const char* const chance : {"noise", "collimation", "text", "marker", "screen_photograph"})
    EXPECT_FALSE(same(changed(film, chance, 5), changed(film, chance, 6))) << chance;
}

TEST(Perturb, TakesPicturesOfAnyShape) {
  const auto check = [](const Image& image) {
    for (const Perturbation& p : kRobustnessSuite) {
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const Image after = perturb(image, p, seed);
        EXPECT_GE(after.width(), 1) << p.name;
        EXPECT_GE(after.height(), 1) << p.name;
      }
    }
  };
  for (const int bits : {8, 16}) {
    for (const auto& [width, height] : {std::pair(32, 32), {1, 1}, {1, 300}, {300, 1}, {3, 2}, {2000, 7}})
      check(test::make_phantom({.width = width, .height = height, .bits = bits}));
  }
  check(Image(40, 40, Image::Pixels8(1600, 0)));
  check(Image(40, 40, Image::Pixels8(1600, 255)));
  check(Image(40, 40, Image::Pixels16(1600, 0)));
  check(Image(40, 40, Image::Pixels16(1600, 65535)));
}

TEST(Perturb, TakesPicturesOfSeveralMegapixels) {
  const Image film = test::make_phantom({.width = 1900, .height = 1500, .bits = 16});
  for (const Perturbation& p : kRobustnessSuite)
    EXPECT_EQ(same(perturb(film, p, 1), film), p.kind == Kind::kOriginal) << p.name;
}

TEST(Perturb, MovesGrayLevelsTheWayItsNameTells) {
  const Image film = test::make_phantom();
  EXPECT_NEAR(mean(changed(film, "brightness_up")) - mean(film), 25.5, 2.5);
  EXPECT_LT(mean(changed(film, "brightness_down")), mean(film) - 15);
  EXPECT_GT(mean(changed(film, "gamma_bright")), mean(film) + 5);
  EXPECT_LT(mean(changed(film, "gamma_dark")), mean(film) - 5);
  EXPECT_NEAR(mean(changed(film, "contrast_down")), mean(film), 0.1);
  EXPECT_NEAR(mean(changed(film, "inverted")), 255 - mean(film), 1e-3);
  EXPECT_EQ(level(changed(film, "inverted"), 0.3, 0.6), 255 - level(film, 0.3, 0.6));

  const Image narrow = changed(film, "window_narrow");
  const auto pixels = static_cast<double>(narrow.pixels8().size());
  EXPECT_NEAR(static_cast<double>(std::ranges::count(narrow.pixels8(), 255)) / pixels, 0.05, 0.02);
}

TEST(Perturb, TakesWhiteOfADarkSixteenBitPictureFromThePicture) {
  // 12 bits in 16, as detectors write them: changes are relative to what is there.
  Image::Pixels16 pixels(10'000);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint16_t>(i % 4001);
  const Image film(100, 100, pixels);
  const double tenth = mean(changed(film, "brightness_up")) - mean(film);
  EXPECT_NEAR(tenth, 0.1 * 4000 / 257, 0.1);
  EXPECT_LE(std::ranges::max(changed(film, "border_white").pixels16()), 4000);
  const Image shown = changed(film, "other_depth");
  EXPECT_EQ(shown.bits(), 8);
  EXPECT_EQ(std::ranges::max(shown.pixels8()), 255);
}

TEST(Perturb, SpreadsTwelveBitsAsTheirStorageTells) {
  const Image film = test::make_phantom();
  const auto brightest = std::ranges::max(film.pixels8());
  const auto expected = std::lround(300 + brightest / 255.0 * 3300);
  EXPECT_EQ(std::ranges::max(changed(film, "raw_12_bit").pixels16()), expected);
  EXPECT_EQ(std::ranges::max(changed(film, "other_depth").pixels16()), expected * 16);
}

TEST(Perturb, MovesThePictureWhereItsNameTells) {
  // One bright dot right of the middle, above it.
  constexpr std::size_t kSide = 100;
  Image::Pixels8 pixels(kSide * kSide, 60);
  for (std::size_t y = 30; y < 33; ++y)
    for (std::size_t x = 80; x < 83; ++x) pixels[y * kSide + x] = 250;
  const Image film(kSide, kSide, pixels);
  const auto place = [](const Image& image) {
    const auto brightest = std::ranges::max_element(image.pixels8());
    const auto index = static_cast<int>(brightest - image.pixels8().begin());
    return std::pair(index % image.width(), index / image.width());
  };
  EXPECT_EQ(place(changed(film, "shift_left")), std::pair(76, 30));
  EXPECT_EQ(place(changed(film, "shift_right")), std::pair(84, 30));
  EXPECT_EQ(place(changed(film, "shift_up")), std::pair(80, 26));
  EXPECT_EQ(place(changed(film, "shift_down")), std::pair(80, 34));
  EXPECT_EQ(place(changed(film, "crop_10")), std::pair(70, 20));
  EXPECT_EQ(place(changed(film, "border_black")), std::pair(88, 38));
  EXPECT_EQ(place(changed(film, "flip_left_right")), std::pair(17, 30));
  EXPECT_EQ(place(changed(film, "flip_upside_down")), std::pair(80, 67));
  // Turned to the right, what is right of the middle goes down.
  EXPECT_GT(place(changed(film, "rotate_right_6")).second, 31);
  EXPECT_LT(place(changed(film, "rotate_left_6")).second, 29);
}

TEST(Perturb, FramesAndHidesTheRimAndLeavesTheMiddle) {
  const Image film = flat(200, 100);
  EXPECT_EQ(level(changed(film, "border_black"), 0.02, 0.5), 0);
  EXPECT_EQ(level(changed(film, "border_white"), 0.02, 0.5), 255);
  EXPECT_LT(level(changed(film, "collimation"), 0.01, 0.5), 8);
  EXPECT_EQ(level(changed(film, "corners_black"), 0.1, 0.1), 0);
  EXPECT_EQ(level(changed(film, "corners_black"), 0.9, 0.95), 0);
  EXPECT_TRUE(same(changed(film, "corners_flat"), film));
  for (const char* const dress :
       {"border_black", "border_white", "collimation", "corners_black", "text", "marker"})
    EXPECT_EQ(level(changed(film, dress), 0.5, 0.5), 100) << dress;
}

TEST(Perturb, PutsTheSideMarkerOnItsOwnSide) {
  const Image film = flat(200, 100);
  std::set<bool> sides;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image marked = changed(film, "marker", seed);
    std::vector<std::size_t> touched;
    for (std::size_t i = 0; i < marked.pixels8().size(); ++i)
      if (marked.pixels8()[i] != 100) touched.push_back(i);
    ASSERT_FALSE(touched.empty());
    const bool left = touched.front() % 200 < 100;
    sides.insert(left);
    for (const std::size_t i : touched) {
      EXPECT_LT(i / 200, 60U);
      EXPECT_EQ(i % 200 < 100, left);
    }
  }
  EXPECT_EQ(sides.size(), 2U);
}

TEST(Perturb, MakesGrainOfTheFilmNotOfThePixels) {
  const auto grain = [](int side) {
    const Image film = flat(side, 120);
    const Plane plane = resize(changed(film, "noise"), 224, 224);
    double squares = 0;
    for (const float v : plane.values)
      squares += (static_cast<double>(v) - 120) * (static_cast<double>(v) - 120);
    return std::sqrt(squares / static_cast<double>(plane.values.size()));
  };
  // As a network of 224 x 224 sees it, about 2 % of white, whatever the resolution of the film.
  EXPECT_NEAR(grain(224), 5, 1.5);
  EXPECT_NEAR(grain(896), 5, 1.5);
}

}  // namespace
}  // namespace xray
