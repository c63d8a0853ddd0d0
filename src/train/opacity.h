#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <vector>

#include "common/result.h"
#include "network/opacity_net.h"
#include "preprocess/lung_zones.h"
#include "train/trainer.h"

namespace xray {

/// What a network learns opacity from, by film:
/// - a normal film, opacities drawn into some: how opaque each cell is;
/// - a film of pneumonia: that something is, somewhere in its lungs;
/// - a film that radiologists scored: the mean of each zone.
struct OpacityTask {
  std::vector<TrainingPicture> training;    ///< with masks and zones
  std::vector<TrainingPicture> validation;  ///< likewise; may be empty
  OpacityNet* start = nullptr;              ///< weights to begin with instead of TrainOptions::weights
};

/// TrainOptions that suit it, AugmentOptions::consolidation among them.
TrainOptions opacity_train_options();

/// Files, resuming and failures are those of train(); EpochReport has "AUC" of the validation
/// films' most opaque twelfth of the lungs. Not used: label smoothing, class balance, dropout.
Result<std::shared_ptr<OpacityNet>> train_opacity(const TrainOptions& options, const OpacityTask& task,
                                                  const Preprocessor& preprocessor,
                                                  const std::filesystem::path& run,
                                                  const TrainCallbacks& callbacks,
                                                  const std::stop_token& stop);

/// What the network finds on each picture, over the picture's own frame. In 32-bit floats, in
/// evaluation mode, on the device the network is on.
std::vector<OpacityMap> predict_opacity(OpacityNet& network, const std::vector<TrainingPicture>& pictures,
                                        const Preprocessor& preprocessor);

}  // namespace xray
