#pragma once

#include <cstddef>
#include <string_view>

#include "preprocess/preprocess.h"

namespace xray {

// Brushes and filters on planes, for films made harder to read: in training and
// in the robustness suite. Coordinates are pixels, (0, 0) the upper left corner;
// what would lie outside the plane is left out. All of them are thread-safe.

inline float& at(Plane& plane, int x, int y) {
  return plane.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(plane.width) +
                      static_cast<std::size_t>(x)];
}
inline float at(const Plane& plane, int x, int y) {
  return plane.values[static_cast<std::size_t>(y) * static_cast<std::size_t>(plane.width) +
                      static_cast<std::size_t>(x)];
}

/// A black plane of the same size.
Plane like(const Plane& plane);

float mean_level(const Plane& plane);

void fill_box(Plane& plane, int x, int y, int width, int height, float value);

/// A short line between two points, `thick` pixels wide.
void stroke(Plane& plane, double x0, double y0, double x1, double y1, int thick, float value);

/// Capital letters and digits in strokes, `height` pixels high, the upper left corner
/// of the first at (x, y); each takes 0.75 of its height. `weight`: breadth of a stroke
/// as a share of the height. Characters without strokes here leave a gap.
void draw_text(Plane& plane, std::string_view text, double x, double y, double height, double weight,
               float ink);

/// Three-tap binomial passes; `passes` of them make a Gaussian of variance passes / 2.
void smooth(Plane& plane, int passes);

/// Gaussian of standard deviation `sigma` pixels (above 0), cut at three of them; the rim is drawn on.
void blur(Plane& plane, double sigma);

/// What is left of the plane, rounded to 8 bits, after one more JPEG of `quality` 1 to
/// 100. One that JPEG cannot hold (a side above 65,500 pixels) stays as it is.
Plane recompress(const Plane& plane, int quality);

}  // namespace xray
