#pragma once

#include <cstdint>
#include <vector>

#include "image/image.h"

namespace xray {

/// A round patch of opacity, as a phantom for measuring: centre and radius in pixels of the film.
struct OpacityPatch {
  double x = 0;
  double y = 0;
  double radius = 0;   ///< where it has faded to nothing
  double density = 0;  ///< 0 clear to 1 as white as soft tissue, in its middle
};

/// How opaque the patch makes each pixel of a width x height film, 0..1: density times a raised
/// cosine, so that half of it is left at half the radius. Outside `lung` (a flag a pixel, row-major) nothing.
std::vector<float> opacity_of(const OpacityPatch& patch, const std::vector<bool>& lung, int width,
                              int height);

/// The 8-bit film with opacity laid in: each pixel that much nearer to the level that nine tenths
/// of what lies outside the lungs stay below.
Image with_opacity(const Image& film, const std::vector<bool>& lung, const std::vector<float>& opacity);

}  // namespace xray
