#pragma once

#include "common/random.h"
#include "preprocess/preprocess.h"

namespace xray {

/// Lays one to six patches of opacity into the lungs of `mask` (0..255, as large as the plane):
/// from thin haze to consolidation as white as the soft tissue around, of one grain or another,
/// with rims that run out. Returns how opaque each pixel became, 0..1; nothing is drawn where
/// the mask is empty. All randomness is `random`'s. Thread-safe.
Plane draw_lesions(Plane& plane, const Plane& mask, Random& random);

}  // namespace xray
