#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spng.h>

#include <array>
#include <cstdlib>

#include "diagnose/finding.h"
#include "image/decode.h"

namespace xray {
namespace {

/// A decoded RGBA picture.
struct Rgba {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> values;
  std::array<int, 4> at(int x, int y) const {
    const std::uint8_t* p = values.data() + 4 * (static_cast<std::ptrdiff_t>(y) * width + x);
    return {p[0], p[1], p[2], p[3]};
  }
};

Rgba decode_rgba(const Bytes& png) {
  spng_ctx* context = spng_ctx_new(0);
  spng_set_png_buffer(context, png.data(), png.size());
  spng_ihdr header{};
  EXPECT_EQ(spng_get_ihdr(context, &header), 0);
  std::size_t size = 0;
  EXPECT_EQ(spng_decoded_image_size(context, SPNG_FMT_RGBA8, &size), 0);
  Rgba picture{static_cast<int>(header.width), static_cast<int>(header.height),
               std::vector<std::uint8_t>(size)};
  EXPECT_EQ(spng_decode_image(context, picture.values.data(), size, SPNG_FMT_RGBA8, 0), 0);
  spng_ctx_free(context);
  return picture;
}

/// 0.2126 R + 0.7152 G + 0.0722 B of the encoded values: enough to rank colours by brightness.
double luma(const std::array<int, 4>& c) {
  return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}

TEST(Heatmap, IsTransparentWhereThereIsNoEvidence) {
  const auto png = render_heatmap({2, 2, {0, 0, 0, 0}}, 30, 20);
  ASSERT_TRUE(png.ok()) << png.error().message;
  const Rgba picture = decode_rgba(*png);
  EXPECT_EQ(picture.width, 30);
  EXPECT_EQ(picture.height, 20);
  EXPECT_THAT(picture.values, ::testing::Each(0));
}

TEST(Heatmap, GetsBrighterAndMoreOpaqueWithTheEvidence) {
  // One cell per strip of 10 pixels; read at their centres, where the map is exact.
  const auto png = render_heatmap({5, 1, {0.0F, 0.25F, 0.5F, 0.75F, 1.0F}}, 50, 1);
  ASSERT_TRUE(png.ok()) << png.error().message;
  const Rgba picture = decode_rgba(*png);
  for (int cell = 1; cell + 1 < 5; ++cell) {
    const auto weaker = picture.at(10 * cell + 5, 0);
    const auto stronger = picture.at(10 * (cell + 1) + 5, 0);
    EXPECT_GT(stronger[3], weaker[3]);
    EXPECT_GT(luma(stronger), luma(weaker));
  }
  EXPECT_EQ(picture.at(49, 0)[3], std::lround(0.65 * 255));
}

TEST(Heatmap, ShowsEvidenceInItsOwnCorner) {
  const auto png = render_heatmap({2, 2, {0, 1, 0, 0}}, 40, 40);
  ASSERT_TRUE(png.ok()) << png.error().message;
  const Rgba picture = decode_rgba(*png);
  EXPECT_GT(picture.at(35, 5)[3], 140);
  EXPECT_LE(picture.at(5, 5)[3], 1);
  EXPECT_LE(picture.at(5, 35)[3], 1);
  EXPECT_LE(picture.at(35, 35)[3], 1);
}

TEST(Heatmap, HasNoVisibleStepsBetweenCells) {
  const auto png = render_heatmap({7, 7, {0, 0, 0, 0, 0, 0,    0,  //
                                          0, 1, 1, 0, 0, 0,    0,  //
                                          0, 1, 1, 0, 0, 0.5F, 0,  //
                                          0, 0, 0, 0, 0, 0,    0,  //
                                          0, 0, 1, 0, 1, 0,    0,  //
                                          0, 0, 0, 0, 0, 0,    0,  //
                                          1, 0, 0, 0, 0, 0,    0}},
                                  448, 448);
  ASSERT_TRUE(png.ok()) << png.error().message;
  const Rgba picture = decode_rgba(*png);
  int steepest = 0;
  for (int y = 0; y < 448; ++y)
    for (int x = 1; x < 448; ++x)
      steepest = std::max(steepest, std::abs(picture.at(x, y)[3] - picture.at(x - 1, y)[3]));
  // A cell is 64 pixels wide: from nothing to full in steps of a few levels.
  EXPECT_LE(steepest, 6);
}

TEST(Heatmap, IsRefusedWithoutMaps) {
  const auto png = render_heatmap({}, 10, 10);
  ASSERT_FALSE(png.ok());
  EXPECT_EQ(png.error().code, ErrorCode::kUnusable);
}

TEST(Heatmap, IsRefusedWithoutASize) {
  const auto png = render_heatmap({1, 1, {1}}, 0, 10);
  ASSERT_FALSE(png.ok());
  EXPECT_EQ(png.error().code, ErrorCode::kInvalidArgument);
}

TEST(Overlay, LeavesThePictureAsItIsWhereThereIsNoEvidence) {
  const auto png = render_overlay(Image(2, 1, Image::Pixels8{10, 200}), {1, 1, {0}});
  ASSERT_TRUE(png.ok()) << png.error().message;
  const Rgba picture = decode_rgba(*png);
  EXPECT_EQ(picture.at(0, 0), (std::array<int, 4>{10, 10, 10, 255}));
  EXPECT_EQ(picture.at(1, 0), (std::array<int, 4>{200, 200, 200, 255}));
}

TEST(Overlay, ColoursThePictureWhereThereIsEvidence) {
  const auto png = render_overlay(Image(2, 1, Image::Pixels16{0, 65535}), {1, 1, {1}});
  ASSERT_TRUE(png.ok()) << png.error().message;
  const Rgba picture = decode_rgba(*png);
  const auto dark = picture.at(0, 0);
  EXPECT_GT(dark[0], dark[2] + 50);
  EXPECT_GT(luma(picture.at(1, 0)), luma(dark) + 40) << "the picture shows through";
}

TEST(Overlay, IsRefusedWithoutMaps) {
  const auto png = render_overlay(Image(1, 1, Image::Pixels8{0}), {});
  ASSERT_FALSE(png.ok());
  EXPECT_EQ(png.error().code, ErrorCode::kUnusable);
}

}  // namespace
}  // namespace xray
