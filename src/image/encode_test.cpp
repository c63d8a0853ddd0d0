#include "image/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "image/decode.h"
#include "support/phantom.h"

namespace xray {
namespace {

TEST(EncodePng, KeepsEveryPixelAtBothDepths) {
  for (const int bits : {8, 16}) {
    const Image image = test::make_phantom({.width = 61, .height = 43, .bits = bits});
    const Image read = decode_image(encode_png(image).value()).value();
    ASSERT_EQ(read.bits(), bits);
    ASSERT_EQ(read.width(), 61);
    ASSERT_EQ(read.height(), 43);
    if (bits == 8) {
      EXPECT_TRUE(std::ranges::equal(read.pixels8(), image.pixels8()));
    } else {
      EXPECT_TRUE(std::ranges::equal(read.pixels16(), image.pixels16()));
    }
  }
}

TEST(EncodePng, CarriesPixelsAlone) {
  const Bytes png = encode_png(test::make_phantom({.width = 61, .height = 43})).value();
  std::string chunks;
  for (std::size_t at = 8; at < png.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8U | std::to_integer<std::size_t>(png[at + i]);
    for (std::size_t i = 4; i < 8; ++i) chunks.push_back(static_cast<char>(png[at + i]));
    at += length + 12;
  }
  EXPECT_EQ(chunks, "IHDRIDATIEND");
}

TEST(EncodePng, RefusesALevelThatZlibDoesNotHave) {
  const Image image = test::make_phantom({.width = 8, .height = 8});
  EXPECT_EQ(encode_png(image, 10).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_png(image, -1).error().code, ErrorCode::kInvalidArgument);
}

TEST(EncodePng, RefusesAnEmptyPicture) {
  EXPECT_EQ(encode_png(Image()).error().code, ErrorCode::kInvalidArgument);
}

TEST(EncodePngRgba, KeepsColourAndOpacity) {
  const std::vector<std::uint8_t> rgba = {255, 0, 0, 255, 0, 255, 0, 128};
  const Image read = decode_image(encode_png_rgba(2, 1, rgba).value()).value();
  EXPECT_EQ(read.pixels8()[0], 76);
  EXPECT_EQ(read.pixels8()[1], 75);  // 150 at half opacity on black
}

TEST(EncodePngRgba, RefusesPixelsThatDoNotFillIt) {
  const std::vector<std::uint8_t> rgba(15);
  EXPECT_EQ(encode_png_rgba(2, 2, rgba).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_png_rgba(0, 0, {}).error().code, ErrorCode::kInvalidArgument);
}

TEST(EncodeJpeg, StaysCloseAtBothDepths) {
  const Image eight = test::make_phantom({.width = 61, .height = 43});
  for (const int bits : {8, 16}) {
    const Image image = test::make_phantom({.width = 61, .height = 43, .bits = bits});
    const Bytes jpeg = encode_jpeg(image, 98).value();
    ASSERT_EQ(sniff_format(jpeg), ImageFormat::kJpeg);
    const Image read = decode_image(jpeg).value();
    int worst = 0;
    for (std::size_t i = 0; i < eight.pixels8().size(); ++i) {
      worst = std::max(worst, std::abs(read.pixels8()[i] - eight.pixels8()[i]));
    }
    EXPECT_LE(worst, 6) << bits;
  }
}

TEST(EncodeJpeg, IsSmallerAtALowerQuality) {
  const Image image = test::make_phantom();
  EXPECT_LT(encode_jpeg(image, 50).value().size(), encode_jpeg(image, 95).value().size() / 2);
}

TEST(EncodeJpeg, RefusesWhatCannotBeWritten) {
  const Image image = test::make_phantom({.width = 8, .height = 8});
  EXPECT_EQ(encode_jpeg(image, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_jpeg(image, 101).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(encode_jpeg(Image()).error().code, ErrorCode::kInvalidArgument);
  const Image too_wide(70000, 1, Image::Pixels8(70000));
  EXPECT_EQ(encode_jpeg(too_wide).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
