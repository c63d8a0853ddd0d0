#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "preprocess/lung_field.h"

namespace xray {

/// The six zones of the Brixia score (Borghesi and Maroldi 2020): upper, middle and lower third
/// of the patient's right lung (left on the picture), then of the left lung.
inline constexpr std::array kZoneNames = {"A", "B", "C", "D", "E", "F"};
inline constexpr std::size_t kZones = kZoneNames.size();
/// Of a zone as white as consolidation all over; the sum of six such.
inline constexpr double kFullZoneScore = 3;
inline constexpr double kFullScore = kFullZoneScore * kZones;

/// Which zone each cell of a lung field belongs to: 0 none, 1 to 6 for A to F. Row-major.
struct ZoneMap {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> zone;
};

/// Thirds by the height of each lung's own field. Lungs that cannot be told apart are parted in
/// the middle of their box. Specks (below 1 % of the picture) belong to no zone.
ZoneMap zones_of(const LungField& field);

/// What is opaque in the lungs: 0 (clear) to 1 (as white as consolidation) on a grid over
/// `frame` (pixels of the standard film), row-major.
struct OpacityMap {
  int width = 0;
  int height = 0;
  std::vector<float> opacity;
  Frame frame;
};

/// The opacity at the centre of each cell of `zones` that lies in a zone, linearly interpolated;
/// 0 elsewhere.
std::vector<float> opacity_in_zones(const OpacityMap& map, const ZoneMap& zones);

}  // namespace xray
