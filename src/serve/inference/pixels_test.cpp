#include "serve/inference/pixels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace xray {
namespace {

template <typename T>
InputTensor tensor_of(DataType type, std::vector<std::int64_t> shape, const std::vector<T>& levels) {
  return {"pixels", type, std::move(shape), std::as_bytes(std::span(levels))};
}

template <typename T>
Result<Image> first_picture(DataType type, std::vector<std::int64_t> shape, const std::vector<T>& levels) {
  const InputTensor tensor = tensor_of(type, std::move(shape), levels);
  const auto pixels = PixelTensor::open(tensor, {});
  if (!pixels) return pixels.error();
  return pixels->picture(0);
}

TEST(PixelTensor, ReadsGrayLevelsOfEveryType) {
  const auto expect_gray = [](const Result<Image>& picture) {
    ASSERT_TRUE(picture.ok()) << picture.error().message;
    EXPECT_EQ(picture->width(), 3);
    EXPECT_EQ(picture->height(), 1);
    const auto level = [&](std::size_t i) {
      return picture->bits() == 8 ? double(picture->pixels8()[i]) : picture->pixels16()[i] / 257.0;
    };
    EXPECT_EQ(level(0), 0);
    EXPECT_EQ(level(1), 100);
    EXPECT_EQ(level(2), 255);
  };
  expect_gray(first_picture<std::uint8_t>(DataType::kUint8, {1, 1, 3}, {0, 100, 255}));
  expect_gray(first_picture<std::uint8_t>(DataType::kUint8, {1, 1, 3, 1}, {0, 100, 255}));
  expect_gray(first_picture<std::uint16_t>(DataType::kUint16, {1, 1, 3}, {0, 25700, 65535}));
  expect_gray(first_picture<std::uint32_t>(DataType::kUint32, {1, 1, 3}, {0, 100, 255}));
  expect_gray(first_picture<std::int16_t>(DataType::kInt16, {1, 1, 3}, {0, 100, 255}));
  expect_gray(first_picture<std::int32_t>(DataType::kInt32, {1, 1, 3}, {0, 100, 255}));
  expect_gray(first_picture<std::int64_t>(DataType::kInt64, {1, 1, 3}, {0, 100, 255}));
  expect_gray(first_picture<float>(DataType::kFp32, {1, 1, 3}, {0, 100, 255}));
  expect_gray(first_picture<double>(DataType::kFp64, {1, 1, 3}, {0, 100, 255}));
}

TEST(PixelTensor, MakesLumaOfColours) {
  const auto bytes =
      first_picture<std::uint8_t>(DataType::kUint8, {1, 1, 3, 3}, {255, 0, 0, 0, 255, 0, 0, 0, 255});
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(std::vector(bytes->pixels8().begin(), bytes->pixels8().end()),
            (std::vector<std::uint8_t>{76, 150, 29}));
  const auto floats = first_picture<float>(DataType::kFp32, {1, 1, 1, 3}, {100, 0, 0});
  ASSERT_TRUE(floats.ok());
  EXPECT_EQ(floats->pixels16()[0], std::lround(0.299 * 100 * 257));
}

TEST(PixelTensor, GivesEachPictureItsOwnRows) {
  const std::vector<std::uint8_t> levels = {1, 2, 3, 4};
  const InputTensor tensor = tensor_of(DataType::kUint8, {2, 2, 1}, levels);
  const auto pixels = PixelTensor::open(tensor, {});
  ASSERT_TRUE(pixels.ok());
  EXPECT_EQ(pixels->pictures(), 2U);
  EXPECT_EQ(pixels->picture(1)->pixels8()[0], 3);
  EXPECT_EQ(pixels->picture(1)->height(), 2);
}

TEST(PixelTensor, RefusesLevelsThatMayMeanSomethingElse) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& levels : {std::vector<float>{0, 0.5F, 1},
                                           {-1, 5, 9},
                                           {0, 255.5F, 9},
                                           {0, 4095, 9},
                                           {0, kNan, 9},
                                           {kNan, kNan, kNan},
                                           {0, kInfinite, 9},
                                           {-kInfinite, 5, 9}})
    EXPECT_EQ(first_picture(DataType::kFp32, {1, 1, 3}, levels).error().code, ErrorCode::kInvalidArgument)
        << levels[1];
  EXPECT_FALSE(first_picture<std::int32_t>(DataType::kInt32, {1, 1, 2}, {0, 256}).ok());
  EXPECT_FALSE(first_picture<std::int16_t>(DataType::kInt16, {1, 1, 2}, {-1, 255}).ok());
}

TEST(PixelTensor, RefusesShapesThatDoNotFit) {
  const std::vector<std::uint8_t> twelve(12);
  using Shape = std::vector<std::int64_t>;
  for (const Shape& shape :
       {Shape{12}, Shape{3, 4}, Shape{1, 3, 2, 2}, Shape{1, 1, 3, 4}, Shape{1, 3, 5}, Shape{0, 3, 4},
        Shape{-1, 3, -4}, Shape{1, 1, 1, 12, 1}, Shape{1LL << 62, 1LL << 62, 12}, Shape{1, 1LL << 33, 1}}) {
    const InputTensor tensor = tensor_of(DataType::kUint8, shape, twelve);
    EXPECT_EQ(PixelTensor::open(tensor, {}).error().code, ErrorCode::kInvalidArgument)
        << describe_shape(shape);
  }
  const InputTensor large = tensor_of(DataType::kUint8, {1, 3, 4}, twelve);
  EXPECT_EQ(PixelTensor::open(large, {.max_pixels = 11}).error().code, ErrorCode::kTooLarge);
  const InputTensor half = tensor_of(DataType::kFp16, {1, 2, 3}, twelve);
  EXPECT_EQ(PixelTensor::open(half, {}).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace xray
