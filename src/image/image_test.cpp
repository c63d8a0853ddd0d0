#include "image/image.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace xray {
namespace {

TEST(Image, KnowsItsDepthAndSize) {
  const Image eight(2, 3, Image::Pixels8(6, 200));
  EXPECT_EQ(eight.bits(), 8);
  EXPECT_EQ(eight.pixels8()[5], 200);
  const Image sixteen(3, 1, Image::Pixels16(3, 60000));
  EXPECT_EQ(sixteen.bits(), 16);
  EXPECT_EQ(sixteen.pixels16()[2], 60000);
  EXPECT_EQ(sixteen.source_width(), 3);
  EXPECT_EQ(sixteen.source_height(), 1);
  EXPECT_EQ(sixteen.scale(), 1.0);
}

TEST(Image, RefusesPixelsThatDoNotFillIt) {
  EXPECT_THROW(Image(2, 3, Image::Pixels8(5)), std::invalid_argument);
  EXPECT_THROW(Image(2, 3, Image::Pixels16(7)), std::invalid_argument);
  EXPECT_THROW(Image(0, 3, Image::Pixels8()), std::invalid_argument);
  EXPECT_THROW(Image(-2, -3, Image::Pixels8(6)), std::invalid_argument);
}

}  // namespace
}  // namespace xray
