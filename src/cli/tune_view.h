#pragma once

#include <chrono>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "tune/session.h"
#include "tune/study.h"

namespace xray {

/// "lr 0.001, arch cnn3": the parameters that are not fixed, at most `width` columns.
std::string configuration_text(const Space& space, const Configuration& configuration,
                               std::size_t width = 1000);

/// "1 h 02 min", "4 min 10 s", "12 s".
std::string duration_text(double seconds);

/// The best trials as a table for people, the objectives first; at most `most`.
std::string trial_table(const Space& space, const std::vector<Objective>& objectives,
                        const std::vector<const Trial*>& trials, std::size_t most);

/// How many trials are in which state: "12 done, 3 pruned, 1 failed".
std::string state_counts(const std::vector<Trial>& trials);

/// A study while it runs, on standard error: on a terminal a few lines that are drawn anew, elsewhere a line
/// per trial that ends. Its calls come one at a time.
class TuneView {
 public:
  TuneView(const StudySettings& settings, const Space& space, const TuneLimits& limits);
  ~TuneView();
  TuneView(const TuneView&) = delete;
  TuneView& operator=(const TuneView&) = delete;

  /// Trials that were there before.
  void known(const std::vector<Trial>& trials);
  TuneEvents events();
  void erase();

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    Trial trial;
    std::vector<double> curve;  ///< of the fold under way
    int fold = 0;
    int epoch = 0;
    Clock::time_point since = Clock::now();
  };
  void draw();
  void end(const Trial& trial);

  const StudySettings& settings_;
  const Space& space_;
  const TuneLimits& limits_;
  const bool live_;
  std::size_t lines_ = 0;  ///< that stand on the terminal now
  double seconds_ = 0;
  std::map<std::int64_t, Trial> trials_;
  std::map<std::int64_t, Running> running_;
};

}  // namespace xray
