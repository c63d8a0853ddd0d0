#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dataset/dataset.h"
#include "metrics/calibration.h"
#include "metrics/metrics.h"
#include "train/out_of_fold.h"

namespace xray {

/// What a model card says of scores: figures of `cases` (calibrated, in the order of
/// `scores`) at `threshold`, and accuracy and calibration error of "bacterial_or_viral" where there
/// are kinds: calibrated by `kind`, or, without one, in each fold by the others.
nlohmann::ordered_json quality_json(const Dataset& dataset, const std::vector<FoldScore>& scores,
                                    const std::vector<ScoredCase>& cases, double threshold,
                                    const std::optional<PlattScaling>& kind = {});

/// One line for people: "520 films, accuracy 97.7 % (96.0 to 98.7), ...".
std::string quality_line(const nlohmann::ordered_json& quality);

}  // namespace xray
