#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "tune/space.h"
#include "tune/trial.h"

namespace xray {

/// A configuration to be tried.
struct NewTrial {
  Configuration configuration;
  int epochs = 0;  ///< Trial::epochs
  std::optional<BracketPlace> place;
};
/// A paused trial that is to go on.
struct Promotion {
  std::int64_t number = 0;
  int epochs = 0;
  BracketPlace place;
};
/// Nothing now: what runs must end first.
struct Wait {};
/// Nothing any more.
struct Exhausted {};
using Proposal = std::variant<NewTrial, Promotion, Wait, Exhausted>;

/// Decides what is tried next. It holds no state: all it goes by is the list of trials, in the order of their
/// numbers, and the study's seed. So a study goes on after a crash as if nothing had happened, and any of
/// its workers may ask. Thread-safe.
class Tuner {
 public:
  virtual ~Tuner() = default;
  virtual Proposal propose(const std::vector<Trial>& trials) const = 0;
};

/// What all tuners are told.
struct TunerOptions {
  std::string kind = "bayesian";  ///< random, grid, bayesian, evolution, hyperband
  std::vector<Objective> objectives;
  std::uint64_t seed = 1;
  int initial = 0;  ///< of bayesian and evolution: random trials at first; 0: as they see fit
  int grid_points = 10;
  int population = 20;  ///< of evolution
  int max_epochs = 0;   ///< of hyperband: of a trial that goes all the way
  int factor = 3;       ///< of hyperband: one of so many goes on
};

/// `space` outlives the tuner. kInvalidArgument for a kind that is none, or settings that it cannot work
/// with.
Result<std::unique_ptr<Tuner>> make_tuner(const Space& space, const TunerOptions& options);

// The kinds; make_tuner() checked what they are given.

/// Every configuration once, at random. With defaults for every parameter, these come first.
std::unique_ptr<Tuner> make_random_tuner(const Space& space, const TunerOptions& options);
/// All of Space::grid() in its order.
std::unique_ptr<Tuner> make_grid_tuner(const Space& space, const TunerOptions& options);
/// A Gaussian process and its expected improvement (Jones 1998); with several objectives one of their
/// random weightings each time (ParEGO, Knowles 2006). Trials under way count as the process expects them.
std::unique_ptr<Tuner> make_bayesian_tuner(const Space& space, const TunerOptions& options);
/// Regularised evolution (Real 2019): the best of a few of the youngest `population` has a child with one or
/// two parameters changed, or a second parent.
std::unique_ptr<Tuner> make_evolution_tuner(const Space& space, const TunerOptions& options);
/// Hyperband (Li 2018): brackets of many short runs, of which the best are taken further.
std::unique_ptr<Tuner> make_hyperband_tuner(const Space& space, const TunerOptions& options);

/// A configuration that no trial has had, by `draw`, or by chance where draw repeats itself; null where there
/// seems to be none left.
template <typename Draw>
Configuration unseen(const Space& space, const std::vector<Trial>& trials, Random& random, const Draw& draw) {
  constexpr int kTries = 50;
  const auto is_new = [&](const Configuration& configuration) {
    for (const Trial& trial : trials)
      if (trial.configuration == configuration) return false;
    return true;
  };
  for (int i = 0; i < kTries; ++i)
    if (Configuration configuration = draw(); is_new(configuration)) return configuration;
  for (int i = 0; i < kTries; ++i)
    if (Configuration configuration = space.random(random); is_new(configuration)) return configuration;
  // Few are left: look at all of them, where they can be counted.
  constexpr std::size_t kMost = 20'000;
  const bool countable =
      std::ranges::all_of(space.parameters(), [](const Parameter& p) { return p.count() > 0; });
  if (!countable) return space.random(random);
  const std::size_t size = space.grid_size(static_cast<int>(kMost), kMost);
  if (size >= kMost) return space.random(random);
  for (std::size_t i = 0; i < size; ++i)
    if (Configuration configuration = space.grid(i, static_cast<int>(kMost)); is_new(configuration))
      return configuration;
  return nullptr;
}

/// Every parameter's default, where all have one and nothing was tried yet; else null.
Configuration first_configuration(const Space& space, const std::vector<Trial>& trials);

}  // namespace xray
