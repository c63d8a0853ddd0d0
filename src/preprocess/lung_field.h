#pragma once

#include <string>
#include <vector>

#include "common/grid.h"
#include "preprocess/preprocess.h"

namespace xray {

/// Where the lungs are on a film: probability 0..1 that a cell of the grid over the
/// whole picture belongs to a lung, row-major.
struct LungField {
  int width = 0;
  int height = 0;
  std::vector<float> probability;
};

/// A cell with a probability above is lung.
inline constexpr float kInLung = 0.5F;

inline bool is_lung(const LungField& field, int x, int y) {
  return field.probability[cell_at(x, y, field.width)] > kInLung;
}

/// Whether each pixel of a width x height picture of the whole film is lung, row-major.
std::vector<bool> lung_pixels(const LungField& field, int width, int height);

/// Cells of each connected part (touching at sides), largest first, specks and all.
std::vector<std::size_t> part_sizes(const LungField& field);

/// A lung field summed up. Lengths are shares of the picture's, areas of its area.
struct LungShape {
  double left = 0;  ///< box around all fields
  double top = 0;
  double right = 0;
  double bottom = 0;
  double area = 0;     ///< of all fields
  int fields = 0;      ///< connected parts of more than 1 % of the picture
  double balance = 0;  ///< area of the second largest field by that of the largest
  /// Why these are not two lungs on a frontal film; empty where they may well be.
  std::string doubt;
};

/// Connected parts (of cells above 0.5, touching at sides) too small to be a lung are
/// passed over. Plain bounds tell the doubt: two fields side by side, neither much
/// smaller than the other, together 6 to 75 % of the picture.
LungShape measure_lungs(const LungField& field);

/// How well the lungs are shown.
struct LungPicture {
  double range = 0;    ///< gray levels between the 1st and 99th percentile inside the lungs
  double clipped = 0;  ///< share of the lungs that is black or white altogether
  /// Cells of lung along the film's rim, by the root of all: 1 where both lungs are cut through.
  double cut = 0;
};

/// Of an 8-bit film; zeros where there is no lung.
LungPicture judge_picture(const Image& film, const LungField& field);

/// What a network sees of a film whose lungs are known.
struct LungView {
  Image film;   ///< 8 bits; its gray levels stretched by those in the lungs
  Frame frame;  ///< the box of the lungs and some more, in pixels of `film`
};

/// Share of the gray levels left on either side of the lungs' 1st and 99th percentile
/// after stretching, so that what is a little darker or brighter is not yet clipped.
inline constexpr double kStretchRoom = 0.1;

/// Crops an 8-bit film to its lungs plus `margin` (share of the box's size on each side,
/// cut at the film's rim) and stretches its gray levels by those between the 1st and the
/// 99th percentile inside the lungs, straight or equalised: neither markers, borders and
/// collimation nor exposure are left to read. kUnusable where no lungs can be made out.
Result<LungView> view_lungs(const Image& film, const LungField& field, double margin,
                            Tone tone = Tone::kStretch);

/// The 8-bit film with the box of the lungs and `margin` painted over in middle gray: what
/// can still be told from it was not read from the lungs. kUnusable as view_lungs().
Result<Image> hide_lungs(const Image& film, const LungField& field, double margin);

}  // namespace xray
