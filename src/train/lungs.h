#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <vector>

#include "common/result.h"
#include "network/lung_net.h"
#include "train/trainer.h"

namespace xray {

/// Side of the lung network's input in pixels; a grid fine enough for Dice 0.97.
constexpr int kLungInput = 128;

/// TrainOptions that suit the lung field: from random weights, bent further than a
/// classifier's films, with clouds laid into the lungs so that white ones are not lost.
TrainOptions lung_train_options();

/// Trains the lung field on pictures with masks; the loss is binary cross-entropy
/// plus 1 - Dice (Milletari 2016). Files, resuming and failures are those of train();
/// EpochReport has the validation pictures' mean "Dice". Not used: architecture,
/// weights, label smoothing, class balance, dropout.
Result<std::shared_ptr<LungNet>> train_lungs(const TrainOptions& options,
                                             const std::vector<TrainingPicture>& training,
                                             const std::vector<TrainingPicture>& validation,
                                             const Preprocessor& preprocessor,
                                             const std::filesystem::path& run,
                                             const TrainCallbacks& callbacks, const std::stop_token& stop);

/// Dice coefficient of each picture, at the network's resolution: probability above
/// 0.5 against more than half of the cell inside the mask; 1 where both are empty.
std::vector<double> lung_dice(LungNet& network, const std::vector<TrainingPicture>& pictures,
                              const Preprocessor& preprocessor);

}  // namespace xray
