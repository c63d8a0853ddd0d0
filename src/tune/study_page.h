#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"
#include "tune/study.h"
#include "tune/study_store.h"

namespace xray {

/// All of a study: {"name", "space", "objectives", "tuner", "pruner", "folds", ..., "trials": [...], "best":
/// [numbers], "front": [numbers], "importance": [{"parameter", "share"}], "curves": [...]}.
nlohmann::ordered_json study_json(const std::string& name, const StudySettings& settings, const Space& space,
                                  const std::vector<Trial>& trials, const std::vector<CurvePoint>& curves);

/// The same as a self-contained page: history, importance, parallel coordinates, learning curves.
/// kUnsupported, kIo.
Result<Done> write_study_page(const std::filesystem::path& path, const std::string& name,
                              const StudySettings& settings, const Space& space,
                              const std::vector<Trial>& trials, const std::vector<CurvePoint>& curves);

}  // namespace xray
