#include "preprocess/lung_field.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/lung_rectangles.h"
#include "support/phantom.h"

namespace xray {
namespace {

using test::field_of;
using test::kGrid;

LungField field_of(const Image& mask) {
  const Plane plane = resize(mask, kGrid, kGrid);
  LungField field{kGrid, kGrid, plane.values};
  for (float& value : field.probability) value /= 255;
  return field;
}

TEST(LungShape, MeasuresTwoLungs) {
  const LungShape shape = measure_lungs(field_of({{8, 16, 16, 32}, {40, 12, 16, 32}}));
  EXPECT_EQ(shape.fields, 2);
  EXPECT_DOUBLE_EQ(shape.left, 8.0 / kGrid);
  EXPECT_DOUBLE_EQ(shape.right, 56.0 / kGrid);
  EXPECT_DOUBLE_EQ(shape.top, 12.0 / kGrid);
  EXPECT_DOUBLE_EQ(shape.bottom, 48.0 / kGrid);
  EXPECT_DOUBLE_EQ(shape.area, 2.0 * 16 * 32 / (kGrid * kGrid));
  EXPECT_DOUBLE_EQ(shape.balance, 1);
  EXPECT_EQ(shape.doubt, "");
}

TEST(LungShape, PassesOverSpecks) {
  const LungShape shape = measure_lungs(field_of({{8, 16, 16, 32}, {40, 16, 16, 32}, {0, 0, 3, 3}}));
  EXPECT_EQ(shape.fields, 2);
  EXPECT_DOUBLE_EQ(shape.left, 8.0 / kGrid);
}

TEST(LungShape, DoubtsWhatAreNotTwoLungsSideBySide) {
  EXPECT_NE(measure_lungs(field_of(std::vector<Frame>{})).doubt, "");
  EXPECT_NE(measure_lungs(field_of({{8, 16, 16, 32}})).doubt, "") << "one lung";
  EXPECT_NE(measure_lungs(field_of({{8, 16, 16, 32}, {44, 16, 8, 8}})).doubt, "") << "unequal";
  EXPECT_NE(measure_lungs(field_of({{20, 4, 30, 20}, {20, 36, 30, 20}})).doubt, "") << "one above the other";
  EXPECT_NE(measure_lungs(field_of({{0, 0, 31, 64}, {33, 0, 31, 64}})).doubt, "") << "the whole picture";
  EXPECT_NE(measure_lungs(field_of({{8, 16, 8, 8}, {40, 16, 8, 8}})).doubt, "") << "too small";
  EXPECT_EQ(measure_lungs(field_of({{8, 16, 48, 32}})).doubt, "") << "lungs that touch";
}

TEST(LungView, DoesNotDependOnExposureNorOnWhatLiesOutside) {
  const test::PhantomOptions chest{.width = 224, .height = 224};
  const Image film = test::make_phantom(chest);
  const LungField field = field_of(test::make_phantom_lungs(chest));
  const auto plain = view_lungs(film, field, 0.05);
  ASSERT_TRUE(plain) << plain.error().message;

  // Darker, of less contrast, with a marker in the corner.
  Image::Pixels8 pixels(film.pixels8().begin(), film.pixels8().end());
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(20 + pixel * 6 / 10);
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x) pixels[static_cast<std::size_t>(y * 224 + x)] = 255;
  const auto dressed = view_lungs(Image(224, 224, std::move(pixels)), field, 0.05);
  ASSERT_TRUE(dressed) << dressed.error().message;

  const Plane a = resize(plain->film, plain->frame, 96, 96);
  const Plane b = resize(dressed->film, dressed->frame, 96, 96);
  double difference = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    difference += std::abs(static_cast<double>(a.values[i] - b.values[i]));
  EXPECT_LT(difference / static_cast<double>(a.values.size()), 2.5);
}

TEST(LungView, EqualisesTheLevelsInsideTheLungs) {
  const test::PhantomOptions chest{.width = 224, .height = 224};
  const Image film = test::make_phantom(chest);
  const LungField field = field_of(test::make_phantom_lungs(chest));
  const auto view = view_lungs(film, field, 0.05, Tone::kEqualise);
  ASSERT_TRUE(view);
  std::vector<std::uint8_t> inside;
  for (int y = 0; y < 224; ++y)
    for (int x = 0; x < 224; ++x)
      if (field.probability[static_cast<std::size_t>(y * kGrid / 224 * kGrid + x * kGrid / 224)] > 0.5F)
        inside.push_back(view->film.pixels8()[static_cast<std::size_t>(y * 224 + x)]);
  std::sort(inside.begin(), inside.end());
  for (const double share : {0.25, 0.5, 0.75}) {
    const double level = inside[static_cast<std::size_t>(share * static_cast<double>(inside.size()))];
    EXPECT_NEAR(level / 255, kStretchRoom + share * (1 - 2 * kStretchRoom), 0.03) << share;
  }
}

TEST(LungView, FramesTheBoxOfTheLungsAndItsMarginWithinTheFilm) {
  const Image film = test::make_phantom({.width = 224, .height = 224});
  const auto view = view_lungs(film, field_of({{8, 16, 16, 32}, {40, 16, 16, 32}}), 0.25);
  ASSERT_TRUE(view);
  const double cell = 224.0 / kGrid;
  EXPECT_DOUBLE_EQ(view->frame.x, 0) << "12 cells of margin end at the rim of the film";
  EXPECT_DOUBLE_EQ(view->frame.y, 8 * cell);
  EXPECT_DOUBLE_EQ(view->frame.width, 224);
  EXPECT_DOUBLE_EQ(view->frame.height, 48 * cell);
}

TEST(LungView, RefusesAPictureWithoutLungs) {
  const Image film = test::make_phantom({.width = 224, .height = 224});
  const auto view = view_lungs(film, field_of({{8, 8, 4, 4}}), 0.05);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, ErrorCode::kUnusable);
}

TEST(HideLungs, PaintsTheirBoxOverAndLeavesTheRest) {
  const Image film = test::make_phantom({.width = 224, .height = 224});
  const LungField field = field_of({{8, 16, 16, 32}, {40, 16, 16, 32}});
  const auto hidden = hide_lungs(film, field, 0);
  ASSERT_TRUE(hidden);
  const Frame box = view_lungs(film, field, 0)->frame;
  for (int y = 0; y < film.height(); ++y) {
    for (int x = 0; x < film.width(); ++x) {
      const bool inside = x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
      const auto pixel = static_cast<std::size_t>(y * film.width() + x);
      ASSERT_EQ(hidden->pixels8()[pixel], inside ? 128 : film.pixels8()[pixel]) << x << ", " << y;
    }
  }
  EXPECT_EQ(hide_lungs(film, field_of(std::vector<Frame>{}), 0).error().code, ErrorCode::kUnusable);
}

TEST(LungView, StandsAFilmOfOneGrayInTheLungs) {
  const auto view = view_lungs(Image(224, 224, Image::Pixels8(224 * 224, 90)),
                               field_of({{8, 16, 16, 32}, {40, 16, 16, 32}}), 0);
  ASSERT_TRUE(view);
}

TEST(LungPicture, TellsFlatBurntAndCutLungs) {
  const LungField whole = field_of({{8, 16, 16, 32}, {40, 16, 16, 32}});
  Image::Pixels8 pixels;
  for (int i = 0; i < kGrid * kGrid; ++i) pixels.push_back(static_cast<std::uint8_t>(60 + i % 100));
  const LungPicture good = judge_picture(Image(kGrid, kGrid, pixels), whole);
  EXPECT_GT(good.range, 60);
  EXPECT_EQ(good.clipped, 0);
  EXPECT_EQ(good.cut, 0);

  for (std::size_t i = 0; i < pixels.size(); i += 2) pixels[i] = 255;
  EXPECT_NEAR(judge_picture(Image(kGrid, kGrid, pixels), whole).clipped, 0.5, 0.01);
  EXPECT_LT(judge_picture(Image(kGrid, kGrid, Image::Pixels8(pixels.size(), 90)), whole).range, 2);
  // Both lungs run over the lower rim.
  EXPECT_NEAR(judge_picture(Image(kGrid, kGrid, pixels), field_of({{8, 44, 16, 20}, {40, 44, 16, 20}})).cut,
              32 / std::sqrt(640), 1e-9);
  EXPECT_EQ(judge_picture(Image(kGrid, kGrid, pixels), field_of(std::vector<Frame>{})).range, 0);
}

}  // namespace
}  // namespace xray
