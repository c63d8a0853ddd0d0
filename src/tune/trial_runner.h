#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "tune/study.h"
#include "tune/study_store.h"
#include "tune/trial.h"

namespace xray {

/// Where a trial's processes run.
struct TrialPlace {
  std::filesystem::path trainer;  ///< xray-train
  std::filesystem::path study;    ///< folder of the study: trials/NNNN/run-E below it
  std::string data;
  int checkpoint_every = 60;  ///< s
  double limit = 0;           ///< s that a trial may take; 0: any
};

/// Who is told how a trial goes; called on the thread that runs it.
struct TrialListener {
  std::function<void(const CurvePoint&)> on_epoch;
  /// Trial::progress has a new step. True: give it up.
  std::function<bool(const Trial&, int step)> on_step;
  /// Every few seconds. False: somebody else has the trial; let go of it.
  std::function<bool(const Trial&)> on_beat;
};

/// Runs the trial, one process per execution, each with all its folds. Whatever of it lies in its folder
/// already is gone on with. Sets state (kWaiting where `stop` ended it), figures, progress, failures, message
/// and seconds. False where the listener said to let go: then nothing may be stored.
bool run_trial(Trial& trial, const StudySettings& settings, const Space& space, const TrialPlace& place,
               const TrialListener& listener, const std::stop_token& stop);

/// Figures of a fold as the trainer left them (fold-N/quality.json): by name. kNotFound, kIo, kDamaged.
Result<Figures> read_fold_figures(const std::filesystem::path& fold);

/// The trainer's name of a figure in its per-epoch records: "auc" is "validation_AUC". Empty where it has
/// none.
std::string epoch_figure(const std::string& objective);

}  // namespace xray
