#include "image/exif.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "support/pictures.h"

namespace xray {
namespace {

TEST(ExifOrientation, ReadsAllEightInBothByteOrders) {
  for (int value = 1; value <= 8; ++value) {
    for (const bool big_endian : {false, true}) {
      EXPECT_EQ(exif_orientation(test::make_exif(value, big_endian)), static_cast<Orientation>(value));
    }
  }
}

TEST(ExifOrientation, IsUprightWhereTheTagMakesNoSense) {
  for (const int value : {0, 9, 255, 65535}) {
    EXPECT_EQ(exif_orientation(test::make_exif(value)), Orientation::kTopLeft);
  }
}

TEST(ExifOrientation, IsUprightWhereTheTagIsCutOff) {
  const std::vector<std::byte> whole = test::make_exif(6);
  // The next directory's offset, padding and nothing else may be missing.
  const std::size_t needed = whole.size() - 4 - 2;
  for (std::size_t size = 0; size < needed; ++size) {
    EXPECT_EQ(exif_orientation(std::span(whole).first(size)), Orientation::kTopLeft) << size;
  }
  EXPECT_EQ(exif_orientation(std::span(whole).first(needed)), Orientation::kRightTop);
}

TEST(ExifOrientation, IsUprightWhereTheDirectoryLiesOutside) {
  std::vector<std::byte> app1 = test::make_exif(6);
  for (std::size_t i = 10; i < 14; ++i) app1[i] = std::byte{0xFF};
  EXPECT_EQ(exif_orientation(app1), Orientation::kTopLeft);
}

TEST(ExifOrientation, IsUprightForOtherApp1Segments) {
  std::vector<std::byte> app1 = test::make_exif(6);
  app1[0] = std::byte{'h'};
  EXPECT_EQ(exif_orientation(app1), Orientation::kTopLeft);
  app1 = test::make_exif(6);
  app1[6] = std::byte{'I'};
  EXPECT_EQ(exif_orientation(app1), Orientation::kTopLeft);
}

TEST(TurnUpright, FollowsTheStandardForEachOrientation) {
  // Stored:  1 2 3
  //          4 5 6
  const Image::Pixels8 stored = {1, 2, 3, 4, 5, 6};
  const std::array<std::vector<std::uint8_t>, 8> upright = {{{1, 2, 3, 4, 5, 6},
                                                             {3, 2, 1, 6, 5, 4},
                                                             {6, 5, 4, 3, 2, 1},
                                                             {4, 5, 6, 1, 2, 3},
                                                             {1, 4, 2, 5, 3, 6},
                                                             {4, 1, 5, 2, 6, 3},
                                                             {6, 3, 5, 2, 4, 1},
                                                             {3, 6, 2, 5, 1, 4}}};
  for (int value = 1; value <= 8; ++value) {
    const auto orientation = static_cast<Orientation>(value);
    const Image image = turn_upright(3, 2, stored, orientation);
    EXPECT_EQ(image.width(), swaps_sides(orientation) ? 2 : 3);
    EXPECT_EQ(image.height(), swaps_sides(orientation) ? 3 : 2);
    const std::vector<std::uint8_t> pixels(image.pixels8().begin(), image.pixels8().end());
    EXPECT_EQ(pixels, upright[static_cast<std::size_t>(value - 1)]) << value;
  }
}

}  // namespace
}  // namespace xray
