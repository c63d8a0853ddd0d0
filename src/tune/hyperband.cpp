#include "tune/hyperband.h"

#include <algorithm>
#include <cmath>

#include "tune/tuner.h"

namespace xray {
namespace {

class HyperbandTuner final : public Tuner {
 public:
  HyperbandTuner(const Space& space, const TunerOptions& options)
      : space_(space),
        options_(options),
        brackets_(hyperband_brackets(options.max_epochs, options.factor)),
        random_(options.seed) {}

  Proposal propose(const std::vector<Trial>& trials) const override {
    bool waiting = false;
    // Brackets are independent: while one waits for a slow trial, the next one begins.
    for (int round = 0;; ++round) {
      for (int bracket = 0; bracket < static_cast<int>(brackets_.size()); ++bracket) {
        const std::vector<const Trial*> members = of_bracket(trials, round, bracket);
        if (const auto next = in_bracket(trials, members, {round, bracket, 0})) return *next;
        if (members.empty()) return waiting ? Proposal(Wait{}) : Proposal(Exhausted{});
        waiting |= std::ranges::any_of(members, [](const Trial* trial) {
          return trial->state == TrialState::kWaiting || trial->state == TrialState::kRunning;
        });
      }
      if (waiting) return Wait{};
    }
  }

 private:
  static std::vector<const Trial*> of_bracket(const std::vector<Trial>& trials, int round, int bracket) {
    std::vector<const Trial*> members;
    for (const Trial& trial : trials)
      if (trial.place && trial.place->round == round && trial.place->bracket == bracket)
        members.push_back(&trial);
    return members;
  }

  std::optional<Proposal> in_bracket(const std::vector<Trial>& trials,
                                     const std::vector<const Trial*>& members, BracketPlace place) const {
    const std::vector<Rung>& rungs = brackets_[static_cast<std::size_t>(place.bracket)];
    if (members.size() < static_cast<std::size_t>(rungs.front().trials)) {
      Random random = random_.fork(trials.size());
      Configuration configuration = unseen(space_, trials, random, [&] { return space_.random(random); });
      if (configuration.is_null()) return std::nullopt;
      return NewTrial{std::move(configuration), limit(rungs, 0), place};
    }
    for (place.rung = 0; place.rung + 1 < static_cast<int>(rungs.size()); ++place.rung) {
      std::vector<const Trial*> here;
      std::size_t above = 0;
      for (const Trial* trial : members) {
        if (trial->place->rung > place.rung) ++above;
        if (trial->place->rung != place.rung) continue;
        if (trial->state == TrialState::kWaiting || trial->state == TrialState::kRunning) return std::nullopt;
        if (trial->state == TrialState::kPaused && trial->costs(options_.objectives)) here.push_back(trial);
      }
      const auto next = static_cast<std::size_t>(place.rung + 1);
      if (above >= static_cast<std::size_t>(rungs[next].trials) || here.empty()) continue;
      const Trial* best = *std::ranges::min_element(here, {}, [&](const Trial* trial) {
        return std::pair(*trial->costs(options_.objectives), trial->number);
      });
      return Promotion{best->number, limit(rungs, next), {place.round, place.bracket, place.rung + 1}};
    }
    return std::nullopt;
  }

  /// The last rung is a whole run.
  int limit(const std::vector<Rung>& rungs, std::size_t rung) const {
    return rungs[rung].epochs >= options_.max_epochs ? 0 : rungs[rung].epochs;
  }

  const Space& space_;
  TunerOptions options_;
  std::vector<std::vector<Rung>> brackets_;
  Random random_;
};

}  // namespace

std::vector<std::vector<Rung>> hyperband_brackets(int max_epochs, int factor) {
  const double eta = factor;
  const int deepest = static_cast<int>(std::floor(std::log(max_epochs) / std::log(eta) + 1e-9));
  std::vector<std::vector<Rung>> brackets;
  for (int s = deepest; s >= 0; --s) {
    const double trials = std::ceil((deepest + 1.0) / (s + 1.0) * std::pow(eta, s));
    std::vector<Rung> rungs;
    for (int i = 0; i <= s; ++i)
      rungs.push_back({std::max(1, static_cast<int>(std::floor(trials * std::pow(eta, -i) + 1e-9))),
                       std::max(1, static_cast<int>(std::lround(max_epochs * std::pow(eta, i - s))))});
    brackets.push_back(std::move(rungs));
  }
  return brackets;
}

std::unique_ptr<Tuner> make_hyperband_tuner(const Space& space, const TunerOptions& options) {
  return std::make_unique<HyperbandTuner>(space, options);
}

}  // namespace xray
