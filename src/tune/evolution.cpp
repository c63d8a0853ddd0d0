#include <algorithm>

#include "tune/tuner.h"

namespace xray {
namespace {

class EvolutionTuner final : public Tuner {
 public:
  EvolutionTuner(const Space& space, const TunerOptions& options)
      : space_(space), options_(options), random_(options.seed) {}

  Proposal propose(const std::vector<Trial>& trials) const override {
    if (Configuration first = first_configuration(space_, trials); !first.is_null()) return NewTrial{first};
    Random random = random_.fork(trials.size());
    const std::vector<const Trial*> done = youngest(trials);
    const int initial = options_.initial > 0 ? options_.initial : options_.population / 2;
    const auto draw = [&] {
      if (done.size() < static_cast<std::size_t>(std::max(initial, 2))) return space_.random(random);
      return child(done, random);
    };
    Configuration configuration = unseen(space_, trials, random, draw);
    if (configuration.is_null()) return Exhausted{};
    return NewTrial{std::move(configuration)};
  }

 private:
  /// The population: the last trials that ended, best first.
  std::vector<const Trial*> youngest(const std::vector<Trial>& trials) const {
    std::vector<Trial> last;
    for (auto trial = trials.rbegin(); trial != trials.rend(); ++trial) {
      if (last.size() == static_cast<std::size_t>(options_.population)) break;
      if (!finished({*trial}, options_.objectives).empty()) last.push_back(*trial);
    }
    std::vector<const Trial*> best_first;
    for (const Trial* trial : ranked(last, options_.objectives))
      best_first.push_back(&*std::ranges::find(trials, trial->number, &Trial::number));
    return best_first;
  }

  /// The best of a few, `done` being in that order.
  static const Trial& winner(const std::vector<const Trial*>& done, Random& random) {
    constexpr std::size_t kTournament = 4;
    std::size_t best = random.below(done.size());
    for (std::size_t i = 1; i < kTournament; ++i)
      best = std::min<std::size_t>(best, random.below(done.size()));
    return *done[best];
  }

  Configuration child(const std::vector<const Trial*>& done, Random& random) const {
    constexpr double kCross = 0.3;
    const Configuration& mother = winner(done, random).configuration;
    const Configuration father =
        random.uniform() < kCross ? winner(done, random).configuration : Configuration::object();
    // One change or two, among what there is to change.
    std::vector<std::string> open;
    for (const Parameter& parameter : space_.parameters())
      if (parameter.count() != 1 && mother.contains(parameter.name)) open.push_back(parameter.name);
    random.shuffle(std::span(open));
    open.resize(std::min<std::size_t>(open.size(), 1 + random.below(2)));
    return space_.build([&](const Parameter& parameter) {
      const auto inherited = mother.find(parameter.name);
      const auto other = father.find(parameter.name);
      if (inherited == mother.end()) return other != father.end() ? *other : parameter.at(random.uniform());
      if (std::ranges::find(open, parameter.name) != open.end())
        return mutated(parameter, *inherited, random);
      return other != father.end() && random.uniform() < 0.5 ? *other : *inherited;
    });
  }

  static nlohmann::ordered_json mutated(const Parameter& parameter, const nlohmann::ordered_json& value,
                                        Random& random) {
    constexpr double kSpread = 0.2;
    constexpr int kTries = 20;
    for (int i = 0; i < kTries; ++i) {
      const double unit = parameter.is_number()
                              ? std::clamp(parameter.unit(value) + kSpread * random.normal(), 0.0, 1.0)
                              : random.uniform();
      if (auto changed = parameter.at(unit); changed != value) return changed;
    }
    return value;
  }

  const Space& space_;
  TunerOptions options_;
  Random random_;
};

}  // namespace

std::unique_ptr<Tuner> make_evolution_tuner(const Space& space, const TunerOptions& options) {
  return std::make_unique<EvolutionTuner>(space, options);
}

}  // namespace xray
