#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"
#include "tune/pruner.h"
#include "tune/space.h"
#include "tune/trial.h"
#include "tune/tuner.h"

namespace xray {

/// What a study is; the same for all of its workers, and from its beginning to its end.
struct StudySettings {
  std::string space;   ///< its TOML
  TunerOptions tuner;  ///< objectives and seed among it
  PrunerOptions pruner;
  int folds = 5;                    ///< films are divided by patient into so many
  int use_folds = 0;                ///< a trial is scored on the first so many; 0: on all
  int executions = 1;               ///< runs of a configuration, with other seeds, whose mean is its score
  int epochs = 0;                   ///< 0: as the space or the trainer says
  std::int64_t max_parameters = 0;  ///< 0: any
  int threads = 0;                  ///< of a trial: sums of floats depend on them. 0: all cores
  int retries = 1;                  ///< of a trial that failed

  const std::vector<Objective>& objectives() const { return tuner.objectives; }
  int folds_used() const { return use_folds > 0 ? use_folds : folds; }
};

nlohmann::ordered_json to_json(const StudySettings& settings);
/// kStorage, naming what is wrong.
Result<StudySettings> settings_from_json(const nlohmann::ordered_json& json);
/// The names of those that differ: "tuner, epochs".
std::string differences(const StudySettings& a, const StudySettings& b);

/// What the trainer is asked to do with `configuration`, for "crossval" or "fit", in words of its command
/// line without
/// --out: data, the study's epochs, seed and threads, the configuration. For "crossval" the folds too.
std::vector<std::string> trainer_arguments(const std::string& command, const StudySettings& settings,
                                           const Space& space, const Configuration& configuration,
                                           const std::string& data, int execution = 1);

/// As one would type it in a shell.
std::string shell_line(const std::string& program, const std::vector<std::string>& arguments);

/// The folder of a trial below the study's.
std::filesystem::path trial_folder(const std::filesystem::path& study, std::int64_t number);

/// Steps of Trial::progress: epochs of the first fold count from 1, whole folds from here.
constexpr int kFoldSteps = 1'000'000;

}  // namespace xray
