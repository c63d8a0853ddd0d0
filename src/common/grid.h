#pragma once

#include <cstddef>

namespace xray {

/// Where a cell of a row-major grid lies; its column and row are not negative.
inline std::size_t cell_at(int x, int y, int width) {
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
}

}  // namespace xray
