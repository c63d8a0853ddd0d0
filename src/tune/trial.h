#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "tune/space.h"

namespace xray {

/// What a study makes large or small: a figure of the trainer by name.
struct Objective {
  std::string name;  ///< "auc", "accuracy", "brier", "parameters", "seconds", ...
  bool maximise = true;

  /// The figure so turned that less is better.
  double cost(double value) const { return maximise ? -value : value; }
};

/// "auc", "parameters:min", "auc:max"; without a direction the usual one of that figure. kInvalidArgument.
Result<Objective> objective_from(const std::string& text);
std::string to_text(const Objective& objective);

enum class TrialState {
  kWaiting,  ///< for a worker
  kRunning,  ///< a worker has it
  kPaused,   ///< as far as its limit of epochs; a tuner may take it further
  kDone,
  kPruned,    ///< given up as hopeless
  kFailed,    ///< as often as may be
  kInvalid,   ///< its network is larger than is allowed
  kImported,  ///< done in an earlier study
};
/// "done". Static storage.
std::string_view name(TrialState state);
Result<TrialState> trial_state_from(std::string_view text);

/// Figures by name.
using Figures = std::map<std::string, double>;

/// Where a Hyperband tuner has put a trial.
struct BracketPlace {
  int round = 0;    ///< how often all brackets have been gone through
  int bracket = 0;  ///< counted down from the most aggressive
  int rung = 0;     ///< the one it runs to, or has come to
};

/// One configuration and what became of it.
struct Trial {
  std::int64_t number = 0;  ///< from 1, in the order of their making
  Configuration configuration;
  TrialState state = TrialState::kWaiting;
  int epochs = 0;  ///< limit of its run; 0: all
  std::optional<BracketPlace> place;
  Figures figures;  ///< means over folds and executions; of what there is, where it is not done
  /// Mean of the first objective after each step (epochs of the first fold, then whole folds); what pruners
  /// compare.
  std::map<int, double> progress;
  int failures = 0;
  std::string message;  ///< of the last failure, or why it was given up
  std::string worker;
  std::string from;        ///< the study and number that it was imported from
  double seconds = 0;      ///< that its processes ran
  std::string created_at;  ///< RFC 3339
  std::string ended_at;

  bool is_over() const;
  /// Costs of all objectives; none where a figure is missing or is no number.
  std::optional<std::vector<double>> costs(const std::vector<Objective>& objectives) const;
};

/// Trials with costs that count in full: done or imported.
std::vector<const Trial*> finished(const std::vector<Trial>& trials,
                                   const std::vector<Objective>& objectives);

/// Best first: by the one objective, or by Pareto rank, the more apart from others (crowding distance, Deb
/// 2002) first.
std::vector<const Trial*> ranked(const std::vector<Trial>& trials, const std::vector<Objective>& objectives);

/// Those that no other beats in every objective.
std::vector<const Trial*> pareto_front(const std::vector<Trial>& trials,
                                       const std::vector<Objective>& objectives);

/// Rank of each point (rows of costs), 0 for those that none dominates, 1 for those that only they
/// dominate...
std::vector<int> pareto_ranks(const std::vector<std::vector<double>>& costs);

}  // namespace xray
