#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "common/result.h"
#include "preprocess/lung_zones.h"

namespace xray {

/// A film whose zones radiologists scored (Brixia, 0 to 3 each).
struct ScoredFilm {
  std::filesystem::path path;
  std::string patient;
  std::array<double, kZones> zones{};  ///< means of the raters
  std::vector<double> totals;          ///< of each rater, 0 to 18
};

/// Reads a CSV file with columns "image" (a path below `folder`), "patient" and, for each rater,
/// "<rater>-A" to "<rater>-F"; other columns are passed over. kNotFound, kIo; kDamaged naming the
/// line; kInvalidArgument where columns are missing.
Result<std::vector<ScoredFilm>> read_scored_films(const std::filesystem::path& csv,
                                                  const std::filesystem::path& folder);

}  // namespace xray
