#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "diagnose/finding.h"
#include "image/encode.h"

namespace xray {
namespace {

using Rgb = std::array<double, 3>;  // sRGB, 0..255

/// Even the strongest evidence lets this much of the picture through.
constexpr double kMaxOpacity = 0.65;

/// A colour in OKLCh: lightness, chroma, hue in degrees.
struct Oklch {
  double lightness, chroma, hue;
};

/// From purple by way of red and orange to yellow. Lightness rises in even steps,
/// which makes the ramp perceptually even and readable without seeing colours.
constexpr std::array<Oklch, 4> kRamp = {
    {{0.42, 0.16, -35}, {0.59, 0.21, 15}, {0.76, 0.17, 58}, {0.93, 0.15, 104}}};

/// Oklab and its matrices: B. Ottosson, "A perceptual color space for image processing" (2020);
/// transfer function: IEC 61966-2-1. Colours outside sRGB are clipped.
Rgb to_srgb(const Oklch& colour) {
  const double hue = colour.hue * std::numbers::pi / 180;
  const double a = colour.chroma * std::cos(hue);
  const double b = colour.chroma * std::sin(hue);
  const auto cube = [](double v) { return v * v * v; };
  const double l = cube(colour.lightness + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(colour.lightness - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(colour.lightness - 0.0894841775 * a - 1.2914855480 * b);
  const auto encode = [](double v) {
    const double clipped = std::clamp(v, 0.0, 1.0);
    return 255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * std::pow(clipped, 1 / 2.4) - 0.055);
  };
  return {encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

/// The ramp at 256 strengths.
const std::array<Rgb, 256>& ramp() {
  static const auto colours = [] {
    std::array<Rgb, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      const double position = static_cast<double>(i) / 255 * (kRamp.size() - 1);
      const std::size_t left = std::min(static_cast<std::size_t>(position), kRamp.size() - 2);
      const double t = position - static_cast<double>(left);
      const Oklch& from = kRamp[left];
      const Oklch& to = kRamp[left + 1];
      table[i] = to_srgb({std::lerp(from.lightness, to.lightness, t), std::lerp(from.chroma, to.chroma, t),
                          std::lerp(from.hue, to.hue, t)});
    }
    return table;
  }();
  return colours;
}

/// The four cells that one pixel draws on, and their weights.
struct Tap {
  std::array<std::size_t, 4> cells;
  std::array<float, 4> weights;
};

/// Cubic convolution with a = -1/2 (R. Keys, 1981), edges repeated: smooth, and
/// exact at the centres of the cells.
std::vector<Tap> cubic_taps(int cells, int pixels) {
  std::vector<Tap> taps(static_cast<std::size_t>(pixels));
  for (int pixel = 0; pixel < pixels; ++pixel) {
    const double centre = (pixel + 0.5) * cells / pixels - 0.5;
    const double left = std::floor(centre);
    const double t = centre - left;
    const std::array<double, 4> weights = {((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1,
                                           ((-1.5 * t + 2) * t + 0.5) * t, (0.5 * t - 0.5) * t * t};
    Tap& tap = taps[static_cast<std::size_t>(pixel)];
    for (int i = 0; i < 4; ++i) {
      const auto k = static_cast<std::size_t>(i);
      tap.cells[k] = static_cast<std::size_t>(std::clamp(static_cast<int>(left) - 1 + i, 0, cells - 1));
      tap.weights[k] = static_cast<float>(weights[k]);
    }
  }
  return taps;
}

Result<Done> check(const HeatMap& heat, int width, int height) {
  if (heat.empty())
    return Error{ErrorCode::kUnusable, "this model tells no regions, so there is no heat map"};
  if (width < 1 || height < 1) return Error{ErrorCode::kInvalidArgument, "a heat map needs a size"};
  return Done{};
}

/// Calls paint(pixel index, strength 0..1) for every pixel, row by row.
template <typename Paint>
void for_each_pixel(const HeatMap& heat, int width, int height, Paint paint) {
  const auto columns = cubic_taps(heat.width, width);
  const auto rows = cubic_taps(heat.height, height);
  const auto cells_across = static_cast<std::size_t>(heat.width);
  // Every row of cells at the picture's width; rows of pixels then blend four of these.
  std::vector<float> wide(columns.size() * static_cast<std::size_t>(heat.height));
  for (std::size_t y = 0; y < static_cast<std::size_t>(heat.height); ++y) {
    const float* cells = heat.values.data() + y * cells_across;
    for (std::size_t x = 0; x < columns.size(); ++x) {
      float sum = 0;
      for (std::size_t i = 0; i < 4; ++i) sum += columns[x].weights[i] * cells[columns[x].cells[i]];
      wide[y * columns.size() + x] = sum;
    }
  }
  std::size_t pixel = 0;
  for (const Tap& row : rows) {
    for (std::size_t x = 0; x < columns.size(); ++x) {
      float sum = 0;
      for (std::size_t i = 0; i < 4; ++i) sum += row.weights[i] * wide[row.cells[i] * columns.size() + x];
      paint(pixel++, static_cast<double>(std::clamp(sum, 0.0F, 1.0F)));
    }
  }
}

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(value));
}

const Rgb& colour_of(double strength) {
  return ramp()[to_byte(strength * 255)];
}

}  // namespace

Result<Bytes> render_heatmap(const HeatMap& heat, int width, int height) {
  if (auto checked = check(heat, width, height); !checked) return checked.error();
  std::vector<std::uint8_t> rgba(4 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for_each_pixel(heat, width, height, [&](std::size_t pixel, double strength) {
    const std::uint8_t alpha = to_byte(255 * kMaxOpacity * strength);
    if (alpha == 0) return;  // all zero compresses best
    const Rgb& colour = colour_of(strength);
    for (std::size_t c = 0; c < 3; ++c) rgba[4 * pixel + c] = to_byte(colour[c]);
    rgba[4 * pixel + 3] = alpha;
  });
  return encode_png_rgba(width, height, rgba);
}

Result<Bytes> render_contour(const HeatMap& heat, int width, int height) {
  if (auto checked = check(heat, width, height); !checked) return checked.error();
  const auto columns = static_cast<std::size_t>(width);
  const auto rows = static_cast<std::size_t>(height);
  std::vector<std::uint8_t> inside(columns * rows);
  for_each_pixel(heat, width, height,
                 [&](std::size_t pixel, double strength) { inside[pixel] = strength > kOutlined ? 1 : 0; });
  // A line as wide on a large picture as on a small one, around the pixels at the edge.
  const std::size_t reach = std::max<std::size_t>(1, std::max(columns, rows) / 400);
  std::vector<std::uint8_t> rgba(4 * columns * rows);
  const Rgb& colour = ramp().back();
  const auto paint = [&](std::size_t x, std::size_t y) {
    const std::size_t last_x = std::min(columns - 1, x + reach);
    const std::size_t last_y = std::min(rows - 1, y + reach);
    for (std::size_t py = y; py <= last_y; ++py) {
      for (std::size_t px = x; px <= last_x; ++px) {
        const std::size_t pixel = 4 * (py * columns + px);
        for (std::size_t c = 0; c < 3; ++c) rgba[pixel + c] = to_byte(colour[c]);
        rgba[pixel + 3] = 255;
      }
    }
  };
  for (std::size_t y = 0; y < rows; ++y) {
    for (std::size_t x = 0; x < columns; ++x) {
      const std::uint8_t here = inside[y * columns + x];
      const bool edge = (x + 1 < columns && inside[y * columns + x + 1] != here) ||
                        (y + 1 < rows && inside[(y + 1) * columns + x] != here);
      if (edge) paint(x, y);
    }
  }
  return encode_png_rgba(width, height, rgba);
}

Result<Bytes> render_overlay(const Image& picture, const HeatMap& heat) {
  if (auto checked = check(heat, picture.width(), picture.height()); !checked) return checked.error();
  const bool deep = picture.bits() == 16;
  const auto gray_at = [&](std::size_t pixel) {
    return deep ? picture.pixels16()[pixel] / 257.0 : picture.pixels8()[pixel] * 1.0;
  };
  std::vector<std::uint8_t> rgba(4 * static_cast<std::size_t>(picture.width()) *
                                 static_cast<std::size_t>(picture.height()));
  for_each_pixel(heat, picture.width(), picture.height(), [&](std::size_t pixel, double strength) {
    const double gray = gray_at(pixel);
    const Rgb& colour = colour_of(strength);
    for (std::size_t c = 0; c < 3; ++c)
      rgba[4 * pixel + c] = to_byte(std::lerp(gray, colour[c], kMaxOpacity * strength));
    rgba[4 * pixel + 3] = 255;
  });
  return encode_png_rgba(picture.width(), picture.height(), rgba);
}

}  // namespace xray
