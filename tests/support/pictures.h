#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/file.h"
#include "image/image.h"

namespace xray::test {

/// A colour picture to be encoded: 3 bytes per pixel, row-major.
struct RgbPicture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;
};

/// The 8-bit picture with three equal channels.
RgbPicture to_rgb(const Image& image);

/// One colour all over.
RgbPicture one_colour(int width, int height, std::array<std::uint8_t, 3> colour);

enum class JpegColours { kGray, kYcc, kRgb, kCmyk, kYcck, kTwoComponents };

/// The variants of JPEG that scanners, archives and cameras produce.
struct JpegOptions {
  JpegColours colours = JpegColours::kGray;
  bool progressive = false;
  bool one_scan_per_coefficient = false;  ///< progressive with 128 scans; gray only
  bool arithmetic = false;
  bool adobe_marker = true;  ///< for CMYK: inks inverted, as Adobe writes them; else as they are
  int restart_rows = 0;
  int quality = 95;
  std::vector<std::byte> app1;  ///< payload of an APP1 segment; none where empty
};

/// Gray takes the green channel. Throws std::runtime_error where libjpeg refuses.
Bytes make_jpeg(const RgbPicture& picture, const JpegOptions& options = {});

/// APP1 payload that asks for `orientation` (EXIF tag 0x0112), after another tag.
std::vector<std::byte> make_exif(int orientation, bool big_endian = true);

enum class PngColours { kGray, kRgb, kPalette, kGrayAlpha, kRgba };

/// Colour and opacity of one palette entry.
using PaletteEntry = std::array<std::uint8_t, 4>;

/// The variants of PNG.
struct PngOptions {
  int width = 0;
  int height = 0;
  PngColours colours = PngColours::kGray;
  int bit_depth = 8;
  bool interlaced = false;
  std::vector<PaletteEntry> palette;  ///< for kPalette; tRNS is written if one is not opaque
};

/// `samples`: row-major, channels side by side, each 0 .. 2^bit_depth - 1.
/// Throws std::runtime_error where libspng refuses.
Bytes make_png(const std::vector<std::uint16_t>& samples, const PngOptions& options);

}  // namespace xray::test
