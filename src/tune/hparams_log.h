#pragma once

#include <filesystem>

#include "tune/space.h"
#include "tune/trial.h"

namespace xray {

/// Writes a study as TensorBoard's HParams view reads it: `directory` for the study, a folder below it for
/// each trial that is over. Throws std::runtime_error where files cannot be written.
void write_hparams_experiment(const std::filesystem::path& directory, const Space& space,
                              const std::vector<Objective>& objectives);
void write_hparams_trial(const std::filesystem::path& directory, const Trial& trial);

}  // namespace xray
