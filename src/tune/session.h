#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "tune/study.h"
#include "tune/study_store.h"
#include "tune/trial_runner.h"

namespace xray {

/// When a study ends, and what it keeps.
struct TuneLimits {
  double budget = 0;        ///< s of the study in all; 0: no limit
  std::int64_t trials = 0;  ///< of the study, imported ones apart; 0: no limit
  std::uint64_t disk = 0;   ///< bytes of its folder; 0: no limit
  int keep = 3;             ///< best trials whose checkpoints stay
  int max_failures = 3;     ///< trials in a row that fail
  int parallel = 1;         ///< trials at one time in this process
};

/// Why run() came back.
enum class TuneEnd {
  kExhausted,  ///< the tuner has nothing more to try
  kTrials,
  kBudget,
  kDisk,
  kFailures,
  kStopped,  ///< by the caller
};

/// Told as it happens, one call at a time.
struct TuneEvents {
  std::function<void(const Trial&)> on_begin;
  std::function<void(const CurvePoint&)> on_epoch;
  /// A trial is over, paused, or waits for another go.
  std::function<void(const Trial&)> on_end;
  /// About once a second: the study's time in all, s.
  std::function<void(double)> on_tick;
};

/// One process's part in a study: takes trials, runs each in processes of its own, stores what they tell.
class TuneSession {
 public:
  /// `settings` are the study's; all but the limits and events outlive the session.
  TuneSession(StudyStore& store, const StudySettings& settings, const Space& space, const TrialPlace& place,
              TuneLimits limits, TuneEvents events);

  /// Until a limit is met or `stop` is requested. Failures: those of the store; kInvalidArgument of the
  /// tuner.
  Result<TuneEnd> run(const std::stop_token& stop);

 private:
  void work(const Tuner& tuner, int slot);
  /// A trial, from beginning to end; false where the store failed.
  void carry_out(Trial trial);
  void end_with(TuneEnd end);
  void fail(const Error& error);
  /// Every store call may find the database away for a while; seconds are waited for it.
  template <typename Call>
  auto patiently(const Call& call) -> decltype(call());
  void drop_checkpoints(const std::vector<Trial>& trials) const;
  bool too_many_failures(const std::vector<Trial>& trials) const;

  StudyStore& store_;
  const StudySettings& settings_;
  const Space& space_;
  const TrialPlace& place_;
  TuneLimits limits_;
  TuneEvents events_;
  std::mutex mutex_;  ///< events, and what follows
  std::optional<TuneEnd> end_;
  std::optional<Error> error_;
  std::stop_source halt_;
};

/// "host:pid:start": this process, told apart from all others; and whether one of this machine is gone.
std::string process_identity();
bool is_gone(const std::string& worker);

/// Bytes of all files below `folder`; what cannot be read counts nothing.
std::uint64_t folder_size(const std::filesystem::path& folder);

}  // namespace xray
