#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "image/image.h"

namespace xray {

/// What can happen to a film between the patient and the program without changing the
/// disease. "White" is 255 in 8 bits; in 16, of which detectors fill only a part, the
/// brightest level of the picture. "Side" is the shorter one.
enum class PerturbationKind {
  kOriginal,        ///< the same picture
  kBrightness,      ///< amount * white added
  kGamma,           ///< exponent `amount`
  kContrast,        ///< distances from the mean level times `amount`
  kWindow,          ///< black and white put at the quantiles `amount` and 1 - `amount`
  kBlur,            ///< Gaussian, sigma of `amount` sides
  kNoise,           ///< Gaussian, sigma of `amount` * white, grain of 1/640 of the longer side
  kJpeg,            ///< quality `amount`; becomes 8 bit
  kScale,           ///< width and height times `amount`
  kRotate,          ///< by `amount` degrees clockwise, black beyond the film
  kShiftX,          ///< to the right by `amount` of the width, black beyond the film
  kShiftY,          ///< down by `amount` of the height, black beyond the film
  kCrop,            ///< `amount` of width and height taken off each of the four edges
  kBlackBorder,     ///< `amount` of the side put around the picture
  kWhiteBorder,     ///< likewise
  kCollimation,     ///< black frame, each edge 0.5 to 1 times `amount` wide, soft over 1.5 % of the side
  kInvert,          ///< black is white
  kFlipLeftRight,   ///< mirrored
  kFlipUpsideDown,  ///< likewise
  kText,            ///< name, date and exposure as strokes `amount` of the side high in two corners
  kMarker,          ///< R or L, `amount` of the side high, at its own side; plain lead or on a plate
  kCornersBlack,  ///< in each corner `amount` of the width black; 5/4 `amount` of the height above, 3/4 below
  kCornersFlat,   ///< the same boxes in their own mean level
  kDepth,         ///< 8 bit: 12 bits, black at 300 and white at 3600, upper bits of 16; 16 bit: 8 bit
  kRawTwelveBits,     ///< the same 12 bits in the lower bits of 16
  kScreenPhotograph,  ///< perspective, moire, glare, lifted blacks, gamma, vignette, blur, JPEG; 8 bit
};

/// One row of the robustness suite.
struct Perturbation {
  PerturbationKind kind = PerturbationKind::kOriginal;
  double amount = 0;
  std::string_view name;   ///< for programs
  std::string_view label;  ///< for people
  /// Nobody reads such a film; refusing it is better than any verdict.
  bool should_be_refused = false;
};

/// The suite, the original first. Magnitudes are those of a hospital's bad day, each
/// with where it comes from.
inline constexpr std::array kRobustnessSuite = {
    Perturbation{PerturbationKind::kOriginal, 0, "original", "as it is"},
    // Automatic exposure and the reader's own window: a tenth of the scale is a usual correction.
    Perturbation{PerturbationKind::kBrightness, 0.1, "brightness_up", "brightness +10 %"},
    Perturbation{PerturbationKind::kBrightness, -0.1, "brightness_down", "brightness -10 %"},
    // Displays and exports made for gamma 1.8, sRGB, 2.2 or DICOM's gray scale, taken for one another.
    Perturbation{PerturbationKind::kGamma, 0.75, "gamma_bright", "gamma 0.75, brighter"},
    Perturbation{PerturbationKind::kGamma, 1.33, "gamma_dark", "gamma 1.33, darker"},
    // Film types and makers' look-up tables differ so much in slope.
    Perturbation{PerturbationKind::kContrast, 0.75, "contrast_down", "contrast x 0.75"},
    Perturbation{PerturbationKind::kContrast, 1.3, "contrast_up", "contrast x 1.3"},
    // A hard window as set for bones or tubes: one pixel in ten is burnt out.
    Perturbation{PerturbationKind::kWindow, 0.05, "window_narrow", "narrow window"},
    // A breath during exposure: one to two millimetres on a film of 35 cm.
    Perturbation{PerturbationKind::kBlur, 0.004, "blur", "blur, 0.4 % of the side"},
    // A fraction of the dose, grain of a digitised film: 2 % of white at 224 pixels, 5 % at full size.
    Perturbation{PerturbationKind::kNoise, 0.08, "noise", "noise"},
    // Mail and messengers.
    Perturbation{PerturbationKind::kJpeg, 30, "jpeg_30", "JPEG, quality 30"},
    // Previews in records and teaching files; enlarged prints scanned again.
    Perturbation{PerturbationKind::kScale, 0.5, "half_size", "half the size"},
    Perturbation{PerturbationKind::kScale, 2, "double_size", "twice the size"},
    // Children and patients in bed are seldom straight.
    Perturbation{PerturbationKind::kRotate, -3, "rotate_left_3", "turned 3 deg left"},
    Perturbation{PerturbationKind::kRotate, 3, "rotate_right_3", "turned 3 deg right"},
    Perturbation{PerturbationKind::kRotate, -6, "rotate_left_6", "turned 6 deg left"},
    Perturbation{PerturbationKind::kRotate, 6, "rotate_right_6", "turned 6 deg right"},
    // A cassette one or two centimetres off.
    Perturbation{PerturbationKind::kShiftX, -0.04, "shift_left", "shifted 4 % left"},
    Perturbation{PerturbationKind::kShiftX, 0.04, "shift_right", "shifted 4 % right"},
    Perturbation{PerturbationKind::kShiftY, -0.04, "shift_up", "shifted 4 % up"},
    Perturbation{PerturbationKind::kShiftY, 0.04, "shift_down", "shifted 4 % down"},
    // Cut to the chest by hand or by the modality; more than a tenth would cut lungs off.
    Perturbation{PerturbationKind::kCrop, 0.05, "crop_5", "each edge cut by 5 %"},
    Perturbation{PerturbationKind::kCrop, 0.1, "crop_10", "each edge cut by 10 %"},
    // Letterboxes of viewers; paper around a scan.
    Perturbation{PerturbationKind::kBlackBorder, 0.08, "border_black", "black border, 8 %"},
    Perturbation{PerturbationKind::kWhiteBorder, 0.08, "border_white", "white border, 8 %"},
    // Collimator blades, or the shutters that the modality lays over them.
    Perturbation{PerturbationKind::kCollimation, 0.07, "collimation", "collimated"},
    // MONOCHROME1 written or read as MONOCHROME2.
    Perturbation{PerturbationKind::kInvert, 0, "inverted", "inverted gray"},
    // Films scanned from behind and detectors set up the wrong way round.
    Perturbation{PerturbationKind::kFlipLeftRight, 0, "flip_left_right", "left and right exchanged"},
    Perturbation{PerturbationKind::kFlipUpsideDown, 0, "flip_upside_down", "upside down", true},
    // Screen shots and portable machines.
    Perturbation{PerturbationKind::kText, 0.035, "text", "burned-in text"},
    Perturbation{PerturbationKind::kMarker, 0.08, "marker", "side marker put in"},
    // Programs that take away the patient's name, and markers with it.
    Perturbation{PerturbationKind::kCornersBlack, 0.16, "corners_black", "corners painted black"},
    Perturbation{PerturbationKind::kCornersFlat, 0.16, "corners_flat", "corners painted over"},
    // The detector's own bits instead of an export's 8.
    Perturbation{PerturbationKind::kDepth, 0, "other_depth", "8 and 16 bit exchanged"},
    Perturbation{PerturbationKind::kRawTwelveBits, 0, "raw_12_bit", "12 bits, not stretched"},
    // A colleague's telephone before the light box.
    Perturbation{PerturbationKind::kScreenPhotograph, 0, "screen_photograph", "photograph of a screen"},
};

/// The picture as such a day leaves it: a function of the three arguments alone, up to
/// the last bits of the mathematics library. Size and depth are kept but for kScale,
/// kCrop and the borders, and kJpeg, kDepth, kRawTwelveBits and kScreenPhotograph.
/// Effects smaller than a pixel vanish in small pictures. Memory: about 12 bytes per
/// pixel beside the pictures. Thread-safe.
Image perturb(const Image& image, const Perturbation& perturbation, std::uint64_t seed);

}  // namespace xray
