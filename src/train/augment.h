#pragma once

#include <cstdint>
#include <vector>

#include "common/random.h"
#include "preprocess/preprocess.h"
#include "train/training_picture.h"

namespace xray {

/// How far training pictures are bent, each a chance or a range; zeros leave the
/// picture alone. The aim of the second half is to take away what tells the
/// hospital instead of the lungs: markers, borders, exposure, sharpness.
struct AugmentOptions {
  double rotate_degrees = 10;  ///< +-
  double shear = 0.08;         ///< +-, as a tangent
  double shift = 0.07;         ///< +-, of the side
  double zoom_in = 1.35;       ///< up to this factor
  double zoom_out = 0.88;      ///< down to this factor
  double aspect = 0.12;        ///< +-, relative
  double flip = 0.5;           ///< left and right exchanged
  double gamma = 0.9;          ///< exponent e^(+-)
  double tone_curve = 0.9;     ///< chance of a random monotone tone curve
  double clip = 0.5;           ///< chance that a narrow window cuts the darkest and brightest
  double blur = 0.35;          ///< chance
  double sharpen = 0.4;        ///< chance
  double resample = 0.35;      ///< chance of a coarser picture enlarged again
  double noise = 0.5;          ///< chance
  double jpeg = 0.2;           ///< chance of one more JPEG at quality 20 to 80
  double markers = 0.4;        ///< chance of letters and digits burned in near the rim
  double hide_corners = 0.3;   ///< chance that corners or edge strips are painted over
  double border = 0.15;        ///< chance of a frame or collimation
  /// Chance that a normal film (class 0) gets opacities laid into its lungs (draw_lesions()) and
  /// is taught as pneumonia: the same dress, another answer. Needs a mask.
  double consolidation = 0;
  double surroundings = 0;  ///< chance that all but the lungs is painted over; needs a mask
  double erase = 0.4;       ///< chance of one to three rectangles lost (Zhong 2020)
  double opacity = 0;       ///< chance of white clouds laid into the lungs; needs a mask
};

/// All of it off: for overfitting on purpose and for tests.
AugmentOptions no_augmentation();

/// A bent picture and, where there were any, its mask (0..255) and zones bent alike.
struct Augmented {
  Plane picture;
  Plane mask;
  Plane opacity;                    ///< what was laid into the lungs, 0..1; empty where nothing was
  std::vector<std::uint8_t> zones;  ///< as TrainingPicture::zones
  bool consolidated = false;        ///< no longer of class 0: see AugmentOptions::consolidation
};

/// Another picture of the same lungs: what `picture.frame` covers, more or less, as
/// width x height gray levels 0..255 (clamped). All randomness is `random`'s. Thread-safe.
Augmented augment(const TrainingPicture& picture, int width, int height, const AugmentOptions& options,
                  Random& random);

}  // namespace xray
