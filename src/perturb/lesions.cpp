#include "perturb/lesions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "common/grid.h"
#include "perturb/draw.h"

namespace xray {
namespace {

/// Values of 0 to 1 on a coarse grid, linearly between.
class Grain {
 public:
  Grain(int cells, Random& random) : cells_(cells) {
    values_.resize(static_cast<std::size_t>(cells) * static_cast<std::size_t>(cells));
    for (double& value : values_) value = random.uniform();
  }
  /// x and y from 0 to 1.
  double at(double x, double y) const {
    const double gx = std::clamp(x, 0.0, 1.0) * (cells_ - 1);
    const double gy = std::clamp(y, 0.0, 1.0) * (cells_ - 1);
    const int column = std::min(static_cast<int>(gx), cells_ - 2);
    const int row = std::min(static_cast<int>(gy), cells_ - 2);
    const auto corner = [&](int dx, int dy) { return values_[cell_at(column + dx, row + dy, cells_)]; };
    return std::lerp(std::lerp(corner(0, 0), corner(1, 0), gx - column),
                     std::lerp(corner(0, 1), corner(1, 1), gx - column), gy - row);
  }

 private:
  int cells_;
  std::vector<double> values_;
};

/// The gray level that a share of 0.55 to 0.95 of what lies outside the lungs stays below: soft
/// tissue, of which consolidated lung is as white.
float tissue_level(const Plane& plane, const Plane& mask, Random& random) {
  std::vector<float> outside;
  for (std::size_t i = 0; i < plane.values.size(); ++i)
    if (mask.values[i] < 128) outside.push_back(plane.values[i]);
  const double share = random.uniform(0.55, 0.95);
  if (outside.empty()) return 200;
  const auto nth =
      outside.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(outside.size() - 1));
  std::nth_element(outside.begin(), nth, outside.end());
  return std::max(*nth, 128.0F);
}

void draw_lesion(const Plane& mask, std::size_t centre, Plane& share, Random& random) {
  const double width = mask.width;
  const double height = mask.height;
  const auto columns = static_cast<std::size_t>(mask.width);
  const std::size_t column = centre % columns;
  const std::size_t row = centre / columns;
  const auto x0 = static_cast<double>(column);
  const auto y0 = static_cast<double>(row);
  const double radius_x = random.uniform(0.06, 0.25) * width;
  const double radius_y = random.uniform(0.06, 0.3) * height;
  const double angle = random.uniform(0, std::numbers::pi);
  const double softness = random.uniform(0.3, 1);
  const double density = random.uniform(0.15, 1);
  const Grain outline(6, random);
  // Even, patchy or finely mottled.
  const double kind = random.uniform();
  const Grain grain(
      kind < 0.5 ? 6 + static_cast<int>(random.below(6)) : 14 + static_cast<int>(random.below(26)), random);
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      const double along = (x - x0) * std::cos(angle) + (y - y0) * std::sin(angle);
      const double across = (y - y0) * std::cos(angle) - (x - x0) * std::sin(angle);
      const double distance =
          std::hypot(along / radius_x, across / radius_y) + 0.7 * (outline.at(x / width, y / height) - 0.5);
      if (distance >= 1) continue;
      double opaque = std::clamp((1 - distance) / softness, 0.0, 1.0) * density;
      if (kind < 0.4)
        opaque *= 0.5 + grain.at(x / width, y / height);
      else if (kind < 0.7)
        opaque *= 0.3 + 1.4 * grain.at(x / width, y / height);
      float& value = at(share, x, y);
      value = 1 - (1 - value) * (1 - static_cast<float>(std::min(opaque, 1.0)));
    }
  }
}

}  // namespace

Plane draw_lesions(Plane& plane, const Plane& mask, Random& random) {
  Plane share = like(plane);
  std::vector<std::size_t> lung;
  for (std::size_t i = 0; i < mask.values.size(); ++i)
    if (mask.values[i] > 127) lung.push_back(i);
  constexpr std::array kCounts{1, 1, 2, 3, 4, 6};
  const int count = kCounts[random.below(kCounts.size())];
  const float white = tissue_level(plane, mask, random);
  if (lung.empty()) return share;
  for (int i = 0; i < count; ++i) draw_lesion(mask, lung[random.below(lung.size())], share, random);
  for (std::size_t i = 0; i < share.values.size(); ++i) {
    share.values[i] *= mask.values[i] / 255;
    plane.values[i] += share.values[i] * std::max(0.0F, white - plane.values[i]);
  }
  return share;
}

}  // namespace xray
