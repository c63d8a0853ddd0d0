#include "preprocess/preprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "image/encode.h"
#include "support/phantom.h"
#include "support/shared_data.h"

namespace xray {
namespace {

/// 8 x 6 pixels without any pattern that a wrong filter could hit by chance.
Image small_pattern() {
  Image::Pixels8 pixels;
  for (unsigned y = 0; y < 6; ++y) {
    for (unsigned x = 0; x < 8; ++x) {
      pixels.push_back(static_cast<std::uint8_t>(x * 37 + y * 91 + x * x * y * 5));
    }
  }
  return {8, 6, std::move(pixels)};
}

void expect_near(const Plane& plane, const std::vector<float>& expected, float tolerance) {
  ASSERT_EQ(plane.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(plane.values[i], expected[i], tolerance) << i;
}

double difference(const Plane& a, const Plane& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    sum += std::abs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]));
  }
  return sum / static_cast<double>(a.values.size());
}

// The expected numbers are those of Pillow 13, Image.resize(size, BILINEAR) in mode "F".
TEST(Resize, ShrinksAsPillowDoes) {
  expect_near(resize(small_pattern(), 3, 2),
              {112.7368F, 139.8988F, 155.0658F, 100.6316F, 102.7917F, 98.0395F}, 1e-3F);
}

TEST(Resize, WidensAndShrinksAsPillowDoes) {
  expect_near(
      resize(small_pattern(), 11, 4),
      {34.125F,   57.0966F,  86.5625F,  117.733F,  151.4602F, 139.0625F, 128.3693F, 167.5511F, 209.2898F,
       148.0057F, 33.0F,     133.3333F, 160.4495F, 154.2273F, 103.0758F, 141.6212F, 160.6111F, 155.3586F,
       116.3283F, 186.3889F, 189.5404F, 145.2222F, 65.6667F,  97.0505F,  109.7273F, 89.2121F,  71.2727F,
       97.8889F,  113.2929F, 59.4747F,  47.0202F,  97.0505F,  175.4444F, 164.875F,  105.858F,  68.3011F,
       75.0398F,  69.6761F,  119.4375F, 168.4034F, 160.4943F, 75.0284F,  68.767F,   117.0F},
      1e-3F);
}

Plane resize_all(const Image& image, int width, int height, Interpolation interpolation) {
  return resize(image, {0, 0, double(image.width()), double(image.height())}, width, height, interpolation);
}

// The expected numbers are those of TensorFlow 2.21, tf.image.resize(picture, size, method).
TEST(Resize, WithoutAntialiasingIsThatOfTensorFlow) {
  expect_near(resize_all(small_pattern(), 3, 2, Interpolation::kBilinear),
              {126.0F, 155.0F, 211.3333F, 155.5F, 103.5F, 32.8333F}, 1e-3F);
  expect_near(resize_all(small_pattern(), 3, 2, Interpolation::kNearest), {133, 63, 237, 165, 64, 26}, 0);
}

TEST(Resize, LaysBlackAroundWhatIsSmallerThanTheFrame) {
  const Image white(4, 2, Image::Pixels8(8, 200));
  const Frame seen = seen_of(4, 2, Fit::kPad, 4, 4);
  EXPECT_EQ(seen.y, -1);
  EXPECT_EQ(seen.height, 4);
  for (const auto interpolation :
       {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kAntialiased}) {
    const Plane plane = resize(white, seen, 4, 4, interpolation);
    expect_near(plane, {0, 0, 0, 0, 200, 200, 200, 200, 200, 200, 200, 200, 0, 0, 0, 0}, 1e-4F);
  }
}

TEST(SeenOf, KeepsTheAspectRatioInWholePixels) {
  const Frame cropped = seen_of(301, 171, Fit::kCrop, 150, 150);
  EXPECT_EQ(cropped.x, 65);
  EXPECT_EQ(cropped.width, 171);
  EXPECT_EQ(cropped.height, 171);
  const Frame padded = seen_of(171, 301, Fit::kPad, 150, 150);
  EXPECT_EQ(padded.x, -65);
  EXPECT_EQ(padded.width, 301);
  const Frame squashed = seen_of(171, 301, Fit::kSquash, 150, 150);
  EXPECT_EQ(squashed.width, 171);
  EXPECT_EQ(squashed.height, 301);
}

TEST(Resize, TakesAFrameBetweenPixelsToo) {
  // A ramp of 10 a column is a ramp everywhere inside, wherever the frame begins (as
  // nearly as a triangle over three or four pixels gives one).
  Image::Pixels8 pixels;
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 16; ++x) pixels.push_back(static_cast<std::uint8_t>(10 * x));
  const Image image(16, 4, std::move(pixels));
  const Plane plane = resize(image, {2.3, 0.5, 9.6, 3}, 8, 2);
  for (int x = 0; x < 8; ++x) {
    const double centre = 2.3 + (x + 0.5) * 1.2;
    EXPECT_NEAR(plane.values[static_cast<std::size_t>(x)], 10 * (centre - 0.5), 1.5) << x;
  }
}

TEST(Resize, KeepsThePixelsAtTheSameSize) {
  const Image image = small_pattern();
  const Plane plane = resize(image, 8, 6);
  for (std::size_t i = 0; i < plane.values.size(); ++i) {
    EXPECT_EQ(plane.values[i], static_cast<float>(image.pixels8()[i]));
  }
}

TEST(Resize, GivesSixteenBitsInTheSameGrayLevels) {
  const Image eight = small_pattern();
  Image::Pixels16 pixels;
  for (const std::uint8_t level : eight.pixels8()) pixels.push_back(static_cast<std::uint16_t>(level * 257));
  expect_near(resize(Image(8, 6, std::move(pixels)), 3, 2), resize(eight, 3, 2).values, 1e-3F);
}

TEST(Resize, WorksFromASinglePixel) {
  const Plane plane = resize(Image(1, 1, Image::Pixels8{77}), 3, 2);
  EXPECT_EQ(plane.values, std::vector<float>(6, 77.0F));
}

TEST(Resize, RefusesAFrameOutsideThePicture) {
  const Image image = small_pattern();
  for (const Frame frame : {Frame{0, 0, 9, 6}, Frame{1, 0, 8, 6}, Frame{-1, 0, 8, 6}, Frame{0, 1, 8, 6},
                            Frame{0, 0, 0, 6}, Frame{0, 0, 8, 0}}) {
    EXPECT_THROW(resize(image, frame, 4, 4), std::invalid_argument);
  }
  EXPECT_THROW(resize(image, 0, 4), std::invalid_argument);
  EXPECT_THROW(resize(Image(), 4, 4), std::invalid_argument);
}

TEST(Resize, LeavesOutTheOverhangOfAReducedPicture) {
  // A ramp of 17 columns at half the scale: 8.5 columns, so the last is half outside.
  Image::Pixels8 pixels(9);
  for (std::size_t x = 0; x < pixels.size(); ++x) pixels[x] = static_cast<std::uint8_t>(20 * x);
  Image image(9, 1, std::move(pixels));
  image.set_source(17, 1, 0.5);
  // Centres at 8.5 * (i + 0.5) / 17 = 0.25, 0.75, ...: between those of columns 0 and 1, 10 and so on.
  const Plane plane = resize(image, 17, 1);
  for (std::size_t i = 1; i < 16; ++i) {
    EXPECT_NEAR(plane.values[i], 20 * (8.5F * (static_cast<float>(i) + 0.5F) / 17 - 0.5F), 1e-3F) << i;
  }
}

TEST(Preprocessor, StandardisesEachPicture) {
  const Preprocessor preprocessor({.width = 48, .height = 40});
  ASSERT_EQ(preprocessor.input_size(), 48U * 40U);
  std::vector<float> input(preprocessor.input_size());
  ASSERT_TRUE(preprocessor(test::make_phantom(), input).ok());
  const double mean = std::accumulate(input.begin(), input.end(), 0.0) / static_cast<double>(input.size());
  const double squares = std::inner_product(input.begin(), input.end(), input.begin(), 0.0);
  EXPECT_NEAR(mean, 0, 1e-5);
  EXPECT_NEAR(squares / static_cast<double>(input.size()), 1, 1e-4);
}

TEST(Preprocessor, DividesByOneGrayLevelAtTheLeast) {
  std::vector<float> values = {100.0F, 100.2F, 100.0F, 100.2F};
  Preprocessor({}).normalise(values);
  EXPECT_NEAR(values[0], -0.1, 1e-4);
  EXPECT_NEAR(values[1], 0.1, 1e-4);
}

TEST(Preprocessor, AppliesTheNumbersOfTheCard) {
  std::vector<float> values = {0, 127, 255};
  Preprocessor({.normalisation = Normalisation::kFixed, .mean = 127, .scale = 128}).normalise(values);
  EXPECT_FLOAT_EQ(values[0], -127.0F / 128);
  EXPECT_FLOAT_EQ(values[1], 0);
  EXPECT_FLOAT_EQ(values[2], 1);
}

TEST(Preprocessor, SeesNoDifferenceBetweenDepths) {
  const Preprocessor preprocessor({});
  std::vector<float> eight(preprocessor.input_size());
  std::vector<float> sixteen(preprocessor.input_size());
  ASSERT_TRUE(preprocessor(test::make_phantom({.bits = 8}), eight).ok());
  ASSERT_TRUE(preprocessor(test::make_phantom({.bits = 16}), sixteen).ok());
  for (std::size_t i = 0; i < eight.size(); ++i) ASSERT_NEAR(eight[i], sixteen[i], 0.02) << i;
}

TEST(StandardFilm, KeepsTheGrayLevelsOfDetectorsThatFillTheLowerBits) {
  Image::Pixels16 low;
  Image::Pixels16 high;
  for (int i = 0; i < 64 * 64; ++i) {
    const auto level = static_cast<std::uint16_t>(300 + i % 64 * 52);  // up to 3576: 12 bits
    low.push_back(level);
    high.push_back(static_cast<std::uint16_t>(level * 16));
  }
  const auto raw = standard_film(Image(64, 64, std::move(low)));
  const auto stretched = standard_film(Image(64, 64, std::move(high)));
  ASSERT_TRUE(raw && stretched);
  EXPECT_TRUE(std::ranges::equal(raw->pixels8(), stretched->pixels8()));
}

TEST(Preprocessor, RefusesWhatCannotBeJudged) {
  const Preprocessor preprocessor({});
  std::vector<float> input(preprocessor.input_size());
  const auto code_of = [&](const Image& image) { return preprocessor(image, input).error().code; };
  EXPECT_EQ(code_of(test::make_phantom({.width = 31, .height = 400})), ErrorCode::kUnusable);
  EXPECT_EQ(code_of(test::make_phantom({.width = 400, .height = 31})), ErrorCode::kUnusable);
  EXPECT_EQ(code_of(Image(64, 64, Image::Pixels8(4096, 0))), ErrorCode::kUnusable);
  EXPECT_EQ(code_of(Image(64, 64, Image::Pixels16(4096, 40000))), ErrorCode::kUnusable);
  EXPECT_TRUE(preprocessor(test::make_phantom({.width = 32, .height = 32}), input).ok());
}

TEST(Preprocessor, RefusesABrokenSpecification) {
  EXPECT_THROW(Preprocessor({.width = 0}), std::invalid_argument);
  EXPECT_THROW(Preprocessor({.scale = 0}), std::invalid_argument);
  std::vector<float> too_short(3);
  EXPECT_THROW((void)Preprocessor({})(test::make_phantom(), too_short), std::invalid_argument);
}

TEST(ToImage, RoundsAndClamps) {
  const Image image = to_image({.width = 4, .height = 1, .values = {-3.0F, 1.4F, 1.6F, 300.0F}});
  EXPECT_EQ(std::vector(image.pixels8().begin(), image.pixels8().end()),
            (std::vector<std::uint8_t>{0, 1, 2, 255}));
}

TEST(Preprocessor, NeedsNoMoreThanItsDecodeSize) {
  const Preprocessor preprocessor({});
  // 2465 and 2001 are no multiples of 8, so the reduced picture overhangs.
  const Bytes jpeg = encode_jpeg(test::make_phantom({.width = 2465, .height = 2001})).value();
  const Image whole = decode_image(jpeg).value();
  const Image reduced = decode_image(jpeg, {}, preprocessor.decode_size()).value();
  ASSERT_LT(reduced.width(), 1300);
  EXPECT_LT(difference(resize(whole, 224, 224), resize(reduced, 224, 224)), 0.4);
}

TEST(SharedFilms, ArriveAtTheInputThatTheTrainingSetHas) {
  const auto data = test::shared_data();
  if (!data) GTEST_SKIP() << "the folder of real films is not on this machine";
  const DecodeSize decode_size = Preprocessor({}).decode_size();
  std::vector<std::filesystem::path> films;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*data / "originals")) {
    if (entry.is_regular_file()) films.push_back(std::filesystem::relative(entry, *data / "originals"));
  }
  std::ranges::sort(films);
  double whole_sum = 0;
  double reduced_sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < films.size(); i += 3, ++count) {
    const Bytes original = read_file(*data / "originals" / films[i]).value();
    const Bytes resized = read_file(*data / "chest_xray" / "train" / films[i]).value();
    const Plane expected = resize(decode_image(resized).value(), 224, 224);
    const Plane whole = resize(decode_image(original).value(), 224, 224);
    const Plane reduced = resize(decode_image(original, {}, decode_size).value(), 224, 224);
    whole_sum += difference(whole, expected);
    reduced_sum += difference(reduced, expected);
    EXPECT_LT(difference(whole, expected), 3.0) << films[i];
    EXPECT_LT(difference(reduced, expected), 3.0) << films[i];
    EXPECT_LT(difference(reduced, whole), 0.5) << films[i];
  }
  ASSERT_GT(count, 0);
  EXPECT_LT(whole_sum / count, 2.5);
  EXPECT_LT(reduced_sum / count, 2.5);
}

}  // namespace
}  // namespace xray
