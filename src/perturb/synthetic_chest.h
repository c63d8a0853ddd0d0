#pragma once

#include <cstdint>

#include "image/image.h"

namespace xray {

/// A frontal chest film that never was, near enough to one for the shipped model's gate: tapering
/// lungs above domes, ribs behind and in front, spine, heart, vessels, clavicles. `opacity`, 0 to
/// 1, lays white clouds into the lungs. 8 bits, 640 x 560; the same on every machine up to the last
/// bits of the mathematics library.
Image make_chest(std::uint64_t seed = 1, double opacity = 0);

}  // namespace xray
