#pragma once

#include <cmath>

namespace xray {

// What people are shown; adding 0 makes -0 a plain 0.
inline double to_tenths(double value) {
  return std::round(value * 10) / 10 + 0.0;
}
inline double to_hundredths(double value) {
  return std::round(value * 100) / 100 + 0.0;
}

}  // namespace xray
