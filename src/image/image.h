#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace xray {

/// One gray picture that owns its pixels: row-major, no padding, 8 or 16 bits
/// each, larger values brighter (sources of the other sense are inverted on
/// decoding). Orientation is upright as the file asks (EXIF applied).
class Image {
 public:
  using Pixels8 = std::vector<std::uint8_t>;
  using Pixels16 = std::vector<std::uint16_t>;

  Image() = default;
  /// Throws std::invalid_argument unless pixels.size() == width * height.
  Image(int width, int height, Pixels8 pixels);
  Image(int width, int height, Pixels16 pixels);

  int width() const { return width_; }
  int height() const { return height_; }
  int bits() const { return std::holds_alternative<Pixels8>(pixels_) ? 8 : 16; }
  std::span<const std::uint8_t> pixels8() const { return std::get<Pixels8>(pixels_); }
  std::span<const std::uint16_t> pixels16() const { return std::get<Pixels16>(pixels_); }

  /// Size in the file (upright): more than width() x height() where decoding made it smaller.
  int source_width() const { return source_width_; }
  int source_height() const { return source_height_; }
  /// Pixels per pixel of the file, at most 1. The picture covers source_width() *
  /// scale() columns: the last one may hang over its edge by a fraction, and so may the last row.
  double scale() const { return scale_; }
  void set_source(int width, int height, double scale) {
    source_width_ = width;
    source_height_ = height;
    scale_ = scale;
  }

 private:
  int width_ = 0;
  int height_ = 0;
  int source_width_ = 0;
  int source_height_ = 0;
  double scale_ = 1;
  std::variant<Pixels8, Pixels16> pixels_;
};

}  // namespace xray
