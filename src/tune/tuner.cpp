#include "tune/tuner.h"

#include <algorithm>

namespace xray {
namespace {

class RandomTuner final : public Tuner {
 public:
  RandomTuner(const Space& space, std::uint64_t seed) : space_(space), random_(seed) {}

  Proposal propose(const std::vector<Trial>& trials) const override {
    if (Configuration first = first_configuration(space_, trials); !first.is_null()) return NewTrial{first};
    Random random = random_.fork(trials.size());
    Configuration configuration = unseen(space_, trials, random, [&] { return space_.random(random); });
    if (configuration.is_null()) return Exhausted{};
    return NewTrial{std::move(configuration)};
  }

 private:
  const Space& space_;
  Random random_;
};

class GridTuner final : public Tuner {
 public:
  GridTuner(const Space& space, int points) : space_(space), points_(points) {}

  Proposal propose(const std::vector<Trial>& trials) const override {
    const auto made = static_cast<std::size_t>(
        std::ranges::count_if(trials, [](const Trial& t) { return t.state != TrialState::kImported; }));
    Configuration next = space_.grid(made, points_);
    if (next.is_null()) return Exhausted{};
    return NewTrial{std::move(next)};
  }

 private:
  const Space& space_;
  int points_;
};

}  // namespace

Configuration first_configuration(const Space& space, const std::vector<Trial>& trials) {
  const bool known = std::ranges::all_of(
      space.parameters(), [](const Parameter& p) { return !p.start.is_null() || p.count() == 1; });
  return known && trials.empty() ? space.defaults() : Configuration();
}

std::unique_ptr<Tuner> make_random_tuner(const Space& space, const TunerOptions& options) {
  return std::make_unique<RandomTuner>(space, options.seed);
}

std::unique_ptr<Tuner> make_grid_tuner(const Space& space, const TunerOptions& options) {
  return std::make_unique<GridTuner>(space, options.grid_points);
}

Result<std::unique_ptr<Tuner>> make_tuner(const Space& space, const TunerOptions& options) {
  if (options.kind == "random") return make_random_tuner(space, options);
  if (options.kind == "grid") return make_grid_tuner(space, options);
  if (options.kind == "bayesian") return make_bayesian_tuner(space, options);
  if (options.kind == "evolution") return make_evolution_tuner(space, options);
  if (options.kind != "hyperband")
    return Error{ErrorCode::kInvalidArgument,
                 "no tuner '" + options.kind + "' (random, grid, bayesian, evolution, hyperband)"};
  if (options.max_epochs < options.factor)
    return Error{ErrorCode::kInvalidArgument, "hyperband needs --epochs of at least " +
                                                  std::to_string(options.factor) + ", which it shares out"};
  return make_hyperband_tuner(space, options);
}

}  // namespace xray
