#pragma once

#include <cstddef>
#include <span>

#include "image/image.h"

namespace xray {

/// Where the first row and column of the stored picture lie in the upright one
/// (EXIF 2.32, tag 0x0112); the values are the tag's.
enum class Orientation {
  kTopLeft = 1,  ///< upright already
  kTopRight,     ///< mirrored
  kBottomRight,  ///< upside down
  kBottomLeft,   ///< mirrored, upside down
  kLeftTop,      ///< transposed
  kRightTop,     ///< to be turned clockwise
  kRightBottom,  ///< transposed along the other diagonal
  kLeftBottom,   ///< to be turned counter-clockwise
};

/// The orientation that a JPEG's APP1 payload ("Exif\0\0", then a TIFF header)
/// asks for; kTopLeft where it says nothing that makes sense.
Orientation exif_orientation(std::span<const std::byte> app1);

/// True where upright width and height are the stored height and width.
bool swaps_sides(Orientation orientation);

/// `pixels` (width x height as stored) -> the upright picture.
Image turn_upright(int width, int height, Image::Pixels8 pixels, Orientation orientation);

}  // namespace xray
