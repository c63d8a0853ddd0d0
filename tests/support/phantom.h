#pragma once

#include <cstdint>

#include "image/image.h"

namespace xray::test {

/// A chest film that never was: no patient stands behind any test.
struct PhantomOptions {
  int width = 448;
  int height = 384;
  int bits = 8;
  std::uint64_t seed = 1;
  /// White patches laid into the lungs, 0 (clear) to 1 (both lungs white).
  double opacity = 0;
};

/// Frontal chest: bright body on black, two dark lungs with ribs across, heart,
/// spine, diaphragm, noise. The same options give the same pixels everywhere.
Image make_phantom(const PhantomOptions& options = {});

/// Where the lungs of that chest are: 255 inside, 0 outside, 8 bits.
Image make_phantom_lungs(const PhantomOptions& options = {});

}  // namespace xray::test
