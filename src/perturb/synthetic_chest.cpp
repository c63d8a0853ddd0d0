#include "perturb/synthetic_chest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "common/random.h"

namespace xray {
namespace {

/// 1 where `distance` is well above 0, 0 well below, over about `width`.
double soft(double distance, double width) {
  return 1 / (1 + std::exp(-distance / width));
}

double bell(double distance, double width) {
  return std::exp(-(distance / width) * (distance / width));
}

/// A course given at some heights, straight between them.
double course(double y, std::span<const std::array<double, 2>> points) {
  if (y <= points.front()[0]) return points.front()[1];
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto [from, a] = points[i - 1];
    const auto [to, b] = points[i];
    if (y <= to) return a + (b - a) * (y - from) / (to - from);
  }
  return points.back()[1];
}

using Points = std::array<std::array<double, 2>, 7>;
constexpr Points kTorso{
    {{0, 0.16}, {0.08, 0.2}, {0.16, 0.4}, {0.25, 0.44}, {0.5, 0.43}, {0.8, 0.42}, {1, 0.43}}};
constexpr Points kOuter{
    {{0.1, 0.1}, {0.14, 0.17}, {0.2, 0.225}, {0.3, 0.275}, {0.45, 0.32}, {0.6, 0.345}, {0.72, 0.355}}};
constexpr Points kInnerRight{
    {{0.1, 0.1}, {0.14, 0.055}, {0.2, 0.05}, {0.3, 0.06}, {0.45, 0.065}, {0.6, 0.075}, {0.72, 0.085}}};
constexpr Points kInnerLeft{
    {{0.1, 0.1}, {0.14, 0.055}, {0.2, 0.055}, {0.3, 0.065}, {0.45, 0.08}, {0.6, 0.13}, {0.72, 0.18}}};

/// 1 inside the lung whose inner border is given; `across` from the middle outwards.
double lung_at(double across, double y, const Points& inner, double dome_x, double dome_y) {
  const double beyond = std::max(across - dome_x, 0.0);
  const double before = std::max(dome_x - across, 0.0);
  const double base = dome_y + 3.6 * beyond * beyond + 0.9 * before * before;
  return soft(course(y, kOuter) - across, 0.006) * soft(across - course(y, inner), 0.006) *
         soft(y - 0.105, 0.008) * soft(base - y, 0.006);
}

}  // namespace

Image make_chest(std::uint64_t seed, double opacity) {
  constexpr int kWidth = 640;
  constexpr int kHeight = 560;
  Random random(seed);
  struct Cloud {
    double x, y, radius;
  };
  std::vector<Cloud> clouds;
  for (int i = 0; i < 6; ++i) {
    const double side = i % 2 == 0 ? -1 : 1;
    clouds.push_back(
        {side * random.uniform(0.12, 0.28), random.uniform(0.3, 0.68), random.uniform(0.05, 0.11)});
  }
  Image::Pixels8 pixels;
  for (int row = 0; row < kHeight; ++row) {
    const double y = (row + 0.5) / kHeight;
    for (int column = 0; column < kWidth; ++column) {
      const double x = (column + 0.5) / kWidth - 0.5;
      const double across = std::abs(x);
      const double body = soft(course(y, kTorso) - across, 0.008);
      const double lungs =
          x < 0 ? lung_at(-x, y, kInnerRight, 0.2, 0.72) : lung_at(x, y, kInnerLeft, 0.22, 0.75);
      double level = 0.03 + 0.5 * body - 0.33 * lungs;
      const double from_spine = std::max(across - 0.05, 0.0);
      const double cage = soft(across - 0.05, 0.01) * soft(0.36 - across, 0.01) * body;
      for (int rib = 0; rib < 9; ++rib) {
        const double height = 0.12 + 0.075 * rib;
        level += 0.1 * bell(y - (height + 0.28 * std::pow(from_spine, 1.3) - 0.02), 0.011) * cage;
        if (y < 0.7) level += 0.05 * bell(y - (height + 0.08 - 0.35 * from_spine), 0.01) * cage;
      }
      level += 0.22 * soft(0.045 - across, 0.012) * body;
      for (int vertebra = 0; vertebra < 14; ++vertebra)
        level += 0.04 * bell(y - 0.06 - 0.068 * vertebra, 0.012) * soft(0.04 - across, 0.01);
      level += 0.24 * soft(1 - std::hypot((x - 0.06) / 0.145, (y - 0.6) / 0.17), 0.06);
      level +=
          0.09 * (bell(std::hypot(x + 0.1, y - 0.42), 0.05) + bell(std::hypot(x - 0.11, y - 0.4), 0.045));
      for (int vessel = 0; vessel < 8; ++vessel) {
        const double along = std::clamp((across - 0.08) / 0.22, 0.0, 1.0);
        const double height = 0.42 + (-0.9 + 2.0 * vessel / 7) * along * 0.25;
        if (across > 0.08 && across < 0.28) level += 0.035 * bell(y - height, 0.006 * (1.3 - along)) * lungs;
      }
      level += 0.2 * soft(y - 0.72, 0.02) * (1 - lungs) * body;
      const double clavicle = 0.155 - 0.12 * (across - 0.03) + 0.25 * (across - 0.03) * (across - 0.03);
      if (across > 0.03 && across < 0.33) level += 0.16 * bell(y - clavicle, 0.013);
      double white = 0;
      for (const Cloud& cloud : clouds)
        white = std::max(white, bell(std::hypot(x - cloud.x, (y - cloud.y) / 1.2), cloud.radius));
      level += 0.4 * opacity * white * lungs * (0.8 + 0.4 * random.uniform());
      level += 0.02 * (random.uniform() + random.uniform() - 1);
      pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(level, 0.0, 1.0))));
    }
  }
  return {kWidth, kHeight, std::move(pixels)};
}

}  // namespace xray
