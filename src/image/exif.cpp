#include "image/exif.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace xray {
namespace {

/// Reads the numbers of a TIFF block in its byte order; nothing past its end.
class TiffReader {
 public:
  TiffReader(std::span<const std::byte> bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  std::optional<std::uint32_t> read(std::size_t offset, std::size_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t at = big_endian_ ? i : size - 1 - i;
      value = (value << 8U) | std::to_integer<std::uint32_t>(bytes_[offset + at]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_;
};

constexpr std::array kExifHeader = {std::byte{'E'}, std::byte{'x'}, std::byte{'i'},
                                    std::byte{'f'}, std::byte{0},   std::byte{0}};
constexpr std::uint32_t kTiffVersion = 42;
constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kTypeShort = 3;
constexpr std::size_t kEntrySize = 12;

}  // namespace

Orientation exif_orientation(std::span<const std::byte> app1) {
  if (app1.size() < kExifHeader.size() + 2 ||
      !std::equal(kExifHeader.begin(), kExifHeader.end(), app1.begin())) {
    return Orientation::kTopLeft;
  }
  const std::span<const std::byte> tiff = app1.subspan(kExifHeader.size());
  const bool big_endian = tiff[0] == std::byte{'M'} && tiff[1] == std::byte{'M'};
  const bool little_endian = tiff[0] == std::byte{'I'} && tiff[1] == std::byte{'I'};
  const TiffReader reader(tiff, big_endian);
  const auto directory = reader.read(4, 4);
  if (!(big_endian || little_endian) || reader.read(2, 2) != kTiffVersion || !directory) {
    return Orientation::kTopLeft;
  }
  const std::uint32_t entries = reader.read(*directory, 2).value_or(0);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + i * kEntrySize;
    const auto tag = reader.read(entry, 2);
    if (!tag) break;
    if (*tag != kOrientationTag) continue;
    const std::uint32_t value = reader.read(entry + 8, 2).value_or(0);
    if (reader.read(entry + 2, 2) != kTypeShort || value < 1 || value > 8) break;
    return static_cast<Orientation>(value);
  }
  return Orientation::kTopLeft;
}

bool swaps_sides(Orientation orientation) {
  return orientation >= Orientation::kLeftTop;
}

Image turn_upright(int width, int height, Image::Pixels8 pixels, Orientation orientation) {
  if (orientation == Orientation::kTopLeft) return {width, height, std::move(pixels)};

  const bool swapped = swaps_sides(orientation);
  const bool from_right = orientation == Orientation::kTopRight || orientation == Orientation::kBottomRight ||
                          orientation == Orientation::kRightBottom || orientation == Orientation::kLeftBottom;
  const bool from_bottom = orientation == Orientation::kBottomRight ||
                           orientation == Orientation::kBottomLeft || orientation == Orientation::kRightTop ||
                           orientation == Orientation::kRightBottom;
  // Step in the stored picture for one upright column and for one upright row.
  const std::ptrdiff_t along_row = from_right ? -1 : 1;
  const std::ptrdiff_t along_column = from_bottom ? -width : width;
  const std::ptrdiff_t column_step = swapped ? along_column : along_row;
  const std::ptrdiff_t row_step = swapped ? along_row : along_column;
  std::ptrdiff_t row_start =
      (from_right ? width - 1 : 0) + (from_bottom ? static_cast<std::ptrdiff_t>(height - 1) * width : 0);

  const int upright_width = swapped ? height : width;
  const int upright_height = swapped ? width : height;
  Image::Pixels8 upright(pixels.size());
  auto out = upright.begin();
  for (int row = 0; row < upright_height; ++row, row_start += row_step) {
    std::ptrdiff_t from = row_start;
    for (int column = 0; column < upright_width; ++column, from += column_step) {
      *out++ = pixels[static_cast<std::size_t>(from)];
    }
  }
  return {upright_width, upright_height, std::move(upright)};
}

}  // namespace xray
