#pragma once

#include <vector>

#include "preprocess/lung_field.h"

namespace xray::test {

/// Side of the grid of field_of().
inline constexpr int kGrid = 64;

/// Rectangles of lung on an empty grid.
inline LungField field_of(const std::vector<Frame>& lungs) {
  LungField field{kGrid, kGrid, std::vector<float>(kGrid * kGrid)};
  for (const Frame& lung : lungs)
    for (int y = static_cast<int>(lung.y); y < lung.y + lung.height; ++y)
      for (int x = static_cast<int>(lung.x); x < lung.x + lung.width; ++x)
        field.probability[cell_at(x, y, kGrid)] = 1;
  return field;
}

}  // namespace xray::test
