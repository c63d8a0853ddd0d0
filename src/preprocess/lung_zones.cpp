#include "preprocess/lung_zones.h"

#include <algorithm>
#include <cmath>

#include "common/grid.h"

namespace xray {

std::vector<float> opacity_in_zones(const OpacityMap& map, const ZoneMap& zones) {
  std::vector<float> opacity(zones.zone.size());
  const auto at = [&](int x, int y) {
    return static_cast<double>(
        map.opacity[cell_at(std::clamp(x, 0, map.width - 1), std::clamp(y, 0, map.height - 1), map.width)]);
  };
  for (std::size_t cell = 0; cell < opacity.size(); ++cell) {
    if (zones.zone[cell] == 0) continue;
    const int x = static_cast<int>(cell) % zones.width;
    const int y = static_cast<int>(cell) / zones.width;
    // Centre of the cell: film -> frame -> the map's grid.
    const double across = ((x + 0.5) * kFilmSide / zones.width - map.frame.x) / map.frame.width;
    const double down = ((y + 0.5) * kFilmSide / zones.height - map.frame.y) / map.frame.height;
    const double mx = std::clamp(across, 0.0, 1.0) * map.width - 0.5;
    const double my = std::clamp(down, 0.0, 1.0) * map.height - 0.5;
    const int x0 = static_cast<int>(std::floor(mx));
    const int y0 = static_cast<int>(std::floor(my));
    opacity[cell] =
        static_cast<float>(std::lerp(std::lerp(at(x0, y0), at(x0 + 1, y0), mx - x0),
                                     std::lerp(at(x0, y0 + 1), at(x0 + 1, y0 + 1), mx - x0), my - y0));
  }
  return opacity;
}

}  // namespace xray
