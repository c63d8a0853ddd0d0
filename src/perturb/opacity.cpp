#include "perturb/opacity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/grid.h"

namespace xray {

std::vector<float> opacity_of(const OpacityPatch& patch, const std::vector<bool>& lung, int width,
                              int height) {
  std::vector<float> opacity(lung.size());
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::size_t pixel = cell_at(x, y, width);
      const double distance = std::hypot(x + 0.5 - patch.x, y + 0.5 - patch.y) / patch.radius;
      if (!lung[pixel] || distance >= 1) continue;
      opacity[pixel] = static_cast<float>(patch.density * (1 + std::cos(std::numbers::pi * distance)) / 2);
    }
  }
  return opacity;
}

Image with_opacity(const Image& film, const std::vector<bool>& lung, const std::vector<float>& opacity) {
  std::vector<std::uint8_t> outside;
  for (std::size_t i = 0; i < lung.size(); ++i)
    if (!lung[i]) outside.push_back(film.pixels8()[i]);
  double white = 255;
  if (!outside.empty()) {
    const auto nth = outside.begin() + static_cast<std::ptrdiff_t>(outside.size() * 9 / 10);
    std::nth_element(outside.begin(), nth, outside.end());
    white = *nth;
  }
  Image::Pixels8 pixels(film.pixels8().begin(), film.pixels8().end());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const double nearer = std::max(0.0, white - pixels[i]) * static_cast<double>(opacity[i]);
    pixels[i] = static_cast<std::uint8_t>(std::lround(pixels[i] + nearer));
  }
  return {film.width(), film.height(), std::move(pixels)};
}

}  // namespace xray
