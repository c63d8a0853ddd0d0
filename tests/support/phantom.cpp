#include "support/phantom.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "common/random.h"

namespace xray::test {
namespace {

/// 1 inside the ellipse, 0 outside, with a soft rim.
double ellipse(double x, double y, double cx, double cy, double rx, double ry) {
  const double r = std::hypot((x - cx) / rx, (y - cy) / ry);
  return std::clamp((1.0 - r) * 8.0 + 0.5, 0.0, 1.0);
}

/// What makes one chest another.
struct Build {
  double tilt;
  double size;
};

Build draw_build(Random& random) {
  const double tilt = random.uniform(-0.02, 0.02);
  return {tilt, random.uniform(0.94, 1.06)};
}

/// 1 inside a lung; x and y centred, -0.5..0.5.
double lungs_at(double x, double y, double size) {
  const double right = ellipse(x, y, -0.21, -0.02, 0.15 * size, 0.34);
  const double left = ellipse(x, y, 0.21, -0.02, 0.14 * size, 0.33);
  return std::max(right, left);
}

}  // namespace

Image make_phantom_lungs(const PhantomOptions& options) {
  Random random(options.seed);
  const auto [tilt, size] = draw_build(random);
  Image::Pixels8 pixels;
  for (int row = 0; row < options.height; ++row) {
    const double y = (row + 0.5) / options.height - 0.5;
    for (int column = 0; column < options.width; ++column) {
      const double x = (column + 0.5) / options.width - 0.5 + tilt * y;
      pixels.push_back(lungs_at(x, y, size) > 0.5 ? 255 : 0);
    }
  }
  return {options.width, options.height, std::move(pixels)};
}

Image make_phantom(const PhantomOptions& options) {
  Random random(options.seed);
  const auto [tilt, size] = draw_build(random);
  const double rib_phase = random.uniform();
  const double exposure = random.uniform(0.92, 1.08);

  struct Patch {
    double x, y, radius;
  };
  std::vector<Patch> patches;
  for (int i = 0; i < 6; ++i) {
    const double side = i % 2 == 0 ? -1.0 : 1.0;
    patches.push_back(
        {side * random.uniform(0.16, 0.28), random.uniform(-0.2, 0.25), random.uniform(0.06, 0.14)});
  }

  const auto pixels = static_cast<std::size_t>(options.width) * static_cast<std::size_t>(options.height);
  std::vector<double> levels(pixels);
  for (int row = 0; row < options.height; ++row) {
    for (int column = 0; column < options.width; ++column) {
      // Centred, -0.5..0.5 in both directions.
      const double y = (row + 0.5) / options.height - 0.5;
      const double x = (column + 0.5) / options.width - 0.5 + tilt * y;
      const double body = ellipse(x, y, 0, 0.1, 0.47 * size, 0.75);
      const double shoulders = ellipse(x, y, 0, -0.42, 0.3, 0.2);
      double level = 0.03 + 0.52 * std::max(body, shoulders);
      const double lungs = lungs_at(x, y, size);
      level -= 0.36 * lungs;
      const double ribs = 0.5 + 0.5 * std::cos((y + 0.6 * x * x + rib_phase * 0.1) * 2 * M_PI * 11);
      level += 0.07 * lungs * ribs * ribs;
      level += 0.25 * ellipse(x, y, 0, 0, 0.035, 0.6);             // spine
      level += 0.22 * ellipse(x, y, 0.07, 0.14, 0.13, 0.16);       // heart
      level += 0.3 * std::clamp((y - 0.3) * 12, 0.0, 1.0) * body;  // diaphragm and below
      for (const Patch& patch : patches) {
        const double distance =
            std::hypot(x - patch.x, y - patch.y) / (patch.radius * (0.5 + options.opacity));
        level += 0.5 * options.opacity * lungs * std::exp(-distance * distance);
      }
      // Two uniform numbers make noise enough; its exact shape does not matter.
      level += 0.02 * (random.uniform() + random.uniform() - 1.0);
      const auto index = static_cast<std::size_t>(row) * static_cast<std::size_t>(options.width) +
                         static_cast<std::size_t>(column);
      levels[index] = std::clamp(level * exposure, 0.0, 1.0);
    }
  }

  if (options.bits == 16) {
    Image::Pixels16 out(pixels);
    std::transform(levels.begin(), levels.end(), out.begin(),
                   [](double v) { return static_cast<std::uint16_t>(std::lround(v * 65535)); });
    return {options.width, options.height, std::move(out)};
  }
  Image::Pixels8 out(pixels);
  std::transform(levels.begin(), levels.end(), out.begin(),
                 [](double v) { return static_cast<std::uint8_t>(std::lround(v * 255)); });
  return {options.width, options.height, std::move(out)};
}

}  // namespace xray::test
