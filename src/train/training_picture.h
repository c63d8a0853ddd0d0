#pragma once

#include <cstdint>
#include <vector>

#include "preprocess/preprocess.h"

namespace xray {

/// A picture held in memory, 8 bits a pixel, and what is to be learned from it.
struct TrainingPicture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  ///< width * height, row-major
  Frame frame;                       ///< what the network sees of it where nothing is bent
  int target = 0;                    ///< index of the class
  std::vector<float> soft;           ///< probability per class to be taught instead; may be empty
  std::vector<float> offset;         ///< added to the logits in training, one per class; may be empty
  std::vector<std::uint8_t> mask;    ///< width * height, 255 in the lungs; may be empty
  std::vector<std::uint8_t> zones;   ///< width * height, ZoneMap::zone; may be empty
  /// Brixia scores 0..3 of the zones A to F, known for few films; may be empty.
  std::vector<float> zone_scores;
};

}  // namespace xray
