#include "preprocess/lung_zones.h"

#include <algorithm>
#include <cmath>

#include "common/grid.h"

namespace xray {

namespace {

/// Between which two cells of a map's line a sample lies, and how far it is on its way to the second.
struct Between {
  int first = 0;
  int second = 0;
  double share = 0;
};

/// For each of `samples` over the film: where its centre lies on the line of `cells` that covers
/// `start` to `start + length` of the film's pixels.
std::vector<Between> place(int samples, double start, double length, int cells) {
  std::vector<Between> places;
  places.reserve(static_cast<std::size_t>(samples));
  for (int i = 0; i < samples; ++i) {
    const double share = ((i + 0.5) * kFilmSide / samples - start) / length;
    const double at = std::clamp(share, 0.0, 1.0) * cells - 0.5;
    const int first = static_cast<int>(std::floor(at));
    places.push_back({std::clamp(first, 0, cells - 1), std::clamp(first + 1, 0, cells - 1), at - first});
  }
  return places;
}

}  // namespace

std::vector<float> opacity_in_zones(const OpacityMap& map, const ZoneMap& zones) {
  std::vector<float> opacity(zones.zone.size());
  const std::vector<Between> columns = place(zones.width, map.frame.x, map.frame.width, map.width);
  const std::vector<Between> rows = place(zones.height, map.frame.y, map.frame.height, map.height);
  std::size_t cell = 0;
  for (const Between& y : rows) {
    const float* const upper = &map.opacity[cell_at(0, y.first, map.width)];
    const float* const lower = &map.opacity[cell_at(0, y.second, map.width)];
    for (const Between& x : columns) {
      if (zones.zone[cell] != 0) {
        const double above = std::lerp(static_cast<double>(upper[x.first]), upper[x.second], x.share);
        const double below = std::lerp(static_cast<double>(lower[x.first]), lower[x.second], x.share);
        opacity[cell] = static_cast<float>(std::lerp(above, below, y.share));
      }
      ++cell;
    }
  }
  return opacity;
}

}  // namespace xray
