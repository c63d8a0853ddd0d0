#include "dataset/picture_facts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include "common/file.h"
#include "common/random.h"
#include "image/encode.h"
#include "support/phantom.h"
#include "support/pictures.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

/// A picture measured by way of a PNG file.
MeasuredPicture measured(const Image& image) {
  const test::TempDir dir;
  EXPECT_TRUE(write_file(dir / "film.png", encode_png(image).value()));
  return measure_picture(dir / "film.png").value();
}

/// 256 x 256, each pixel as `gray(x, y)` says.
template <typename Gray>
Image drawn(Gray gray) {
  Image::Pixels8 pixels;
  for (int y = 0; y < kFactsSide; ++y)
    for (int x = 0; x < kFactsSide; ++x) pixels.push_back(static_cast<std::uint8_t>(gray(x, y)));
  return {kFactsSide, kFactsSide, std::move(pixels)};
}

TEST(MeasurePicture, KnowsSizesAndBytes) {
  const test::TempDir dir;
  const Bytes bytes = encode_jpeg(test::make_phantom({.width = 1600, .height = 1200})).value();
  ASSERT_TRUE(write_file(dir / "film.jpeg", bytes));
  const PictureFacts facts = measure_picture(dir / "film.jpeg").value().facts;
  EXPECT_EQ(facts.feature(Feature::kWidth), 1600);
  EXPECT_EQ(facts.feature(Feature::kHeight), 1200);
  EXPECT_DOUBLE_EQ(facts.feature(Feature::kAspectRatio), 4.0 / 3);
  EXPECT_EQ(facts.feature(Feature::kFileSize), static_cast<double>(bytes.size()));
  EXPECT_EQ(facts.format, ImageFormat::kJpeg);
  EXPECT_EQ(facts.channels, 1);
  EXPECT_EQ(facts.sha256, sha256_hex(bytes));
}

TEST(MeasurePicture, TellsBrightnessAndContrast) {
  const MeasuredPicture half = measured(drawn([](int x, int) { return x < kFactsSide / 2 ? 50 : 150; }));
  EXPECT_NEAR(half.facts.feature(Feature::kBrightness), 100, 0.5);
  EXPECT_NEAR(half.facts.feature(Feature::kContrast), 50, 0.5);
  EXPECT_EQ(half.view.intensities[50 / 4] + half.view.intensities[150 / 4],
            std::accumulate(half.view.intensities.begin(), half.view.intensities.end(), 0U));
}

TEST(MeasurePicture, SeesBordersAndCorners) {
  const auto framed = measured(drawn(
      [](int x, int y) { return std::min({x, y, kFactsSide - 1 - x, kFactsSide - 1 - y}) < 12 ? 0 : 120; }));
  EXPECT_EQ(framed.facts.feature(Feature::kBorderDarkness), 1);
  const auto marked = measured(drawn([](int x, int y) { return x < 32 && y < 32 ? 255 : 20; }));
  EXPECT_NEAR(marked.facts.feature(Feature::kCornerBrightness), (255 + 3 * 20) / 4.0, 1);
  EXPECT_EQ(marked.facts.feature(Feature::kBorderDarkness), 0);
}

TEST(MeasurePicture, TellsSharpFromBlurredWhateverTheContrast) {
  const auto stripes = [](int period, int amplitude) {
    return measured(drawn([=](int x, int) {
             return std::lround(128 + amplitude * std::sin(2 * 3.14159265 * x / period));
           }))
        .facts.feature(Feature::kSharpness);
  };
  EXPECT_GT(stripes(8, 60), 2 * stripes(32, 60));
  EXPECT_NEAR(stripes(8, 60) / stripes(8, 120), 1, 0.05);
}

TEST(MeasurePicture, SurvivesAFlatPicture) {
  const PictureFacts facts = measured(drawn([](int, int) { return 90; })).facts;
  EXPECT_EQ(facts.feature(Feature::kSharpness), 0);
  EXPECT_NEAR(facts.feature(Feature::kContrast), 0, 1e-3);
}

TEST(MeasurePicture, SaysWhyAFileIsNotRead) {
  const test::TempDir dir;
  ASSERT_TRUE(write_file(dir / "film.png", std::string_view("no picture")));
  EXPECT_EQ(measure_picture(dir / "film.png").error().code, ErrorCode::kNotAPicture);
  EXPECT_EQ(measure_picture(dir / "none.png").error().code, ErrorCode::kNotFound);
}

TEST(ChannelsOf, ReadsTheHeaders) {
  const test::RgbPicture picture = test::to_rgb(test::make_phantom({.width = 40, .height = 40}));
  EXPECT_EQ(channels_of(test::make_jpeg(picture, {.colours = test::JpegColours::kGray})), 1);
  EXPECT_EQ(channels_of(test::make_jpeg(picture, {.colours = test::JpegColours::kYcc})), 3);
  EXPECT_EQ(channels_of(test::make_jpeg(picture, {.colours = test::JpegColours::kCmyk})), 4);
  EXPECT_EQ(channels_of(test::make_jpeg(picture, {.progressive = true})), 1);
  const auto png = [](test::PngColours colours, std::size_t channels) {
    return channels_of(test::make_png(std::vector<std::uint16_t>(4 * channels),
                                      {.width = 2, .height = 2, .colours = colours}));
  };
  EXPECT_EQ(png(test::PngColours::kGray, 1), 1);
  EXPECT_EQ(png(test::PngColours::kGrayAlpha, 2), 2);
  EXPECT_EQ(png(test::PngColours::kRgb, 3), 3);
  EXPECT_EQ(png(test::PngColours::kRgba, 4), 4);
}

TEST(ChannelsOf, StaysInsideWhateverBytesItIsGiven) {
  EXPECT_EQ(channels_of({}), 0);
  const Bytes jpeg = encode_jpeg(test::make_phantom({.width = 40, .height = 40})).value();
  for (std::size_t length = 0; length < jpeg.size(); length += 7) {
    // A copy of its own, so that a sanitizer sees a read beyond it.
    const Bytes part(jpeg.begin(), jpeg.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_LE(channels_of(part), 1);
  }
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    Bytes noise = {std::byte{0xFF}, std::byte{0xD8}, std::byte{0xFF}};
    for (int k = 0; k < 40; ++k) noise.push_back(static_cast<std::byte>(random.below(256)));
    EXPECT_GE(channels_of(noise), 0);
  }
}

TEST(FeatureName, IsDifferentForEach) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kFeatureCount; ++i) names.insert(name(static_cast<Feature>(i)));
  EXPECT_EQ(names.size(), kFeatureCount);
}

}  // namespace
}  // namespace xray
