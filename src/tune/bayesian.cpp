#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "tune/gaussian_process.h"
#include "tune/tuner.h"

namespace xray {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// The cube of the number of values is what a process costs.
constexpr std::size_t kMostValues = 200;

VectorXd point_of(const Space& space, const Configuration& configuration) {
  const std::vector<double> values = space.encode(configuration);
  return Eigen::Map<const VectorXd>(values.data(), static_cast<Index>(values.size()));
}

/// What a trial teaches: where it stood, and what it cost.
struct Lesson {
  const Trial* trial = nullptr;
  std::vector<double> costs;
};

class BayesianTuner final : public Tuner {
 public:
  BayesianTuner(const Space& space, const TunerOptions& options)
      : space_(space), options_(options), random_(options.seed) {}

  Proposal propose(const std::vector<Trial>& trials) const override {
    if (Configuration first = first_configuration(space_, trials); !first.is_null()) return NewTrial{first};
    Random random = random_.fork(trials.size());
    const std::vector<Lesson> lessons = lessons_of(trials);
    const std::size_t dimensions = space_.encode(space_.defaults()).size();
    const std::size_t initial = options_.initial > 0 ? static_cast<std::size_t>(options_.initial)
                                                     : std::clamp<std::size_t>(dimensions + 1, 4, 12);
    const bool blind = lessons.size() < std::max<std::size_t>(initial, 2) || dimensions == 0;
    std::optional<GaussianProcess> process;
    double best = 0;
    if (!blind) process.emplace(learn(lessons, trials, random, best));
    const auto draw = [&] {
      return process ? most_promising(*process, best, lessons, random) : space_.random(random);
    };
    Configuration configuration = unseen(space_, trials, random, draw);
    if (configuration.is_null()) return Exhausted{};
    return NewTrial{std::move(configuration)};
  }

 private:
  /// Trials given up teach too: they were as bad as they had been until then.
  std::vector<Lesson> lessons_of(const std::vector<Trial>& trials) const {
    std::vector<Lesson> lessons;
    for (const Trial& trial : trials) {
      const bool counts = trial.state == TrialState::kDone || trial.state == TrialState::kImported ||
                          trial.state == TrialState::kPruned;
      if (!counts) continue;
      if (auto costs = trial.costs(options_.objectives)) lessons.push_back({&trial, std::move(*costs)});
    }
    if (lessons.size() > kMostValues) {
      // The best half and the youngest.
      std::ranges::stable_sort(lessons, {}, [](const Lesson& lesson) { return lesson.costs.front(); });
      std::ranges::stable_sort(lessons.begin() + kMostValues / 2, lessons.end(), std::ranges::greater{},
                               [](const Lesson& lesson) { return lesson.trial->number; });
      lessons.resize(kMostValues);
    }
    return lessons;
  }

  /// One cost per lesson: the only one, or the costs, each from 0 (best) to 1, in a random weighting.
  VectorXd scalar_costs(const std::vector<Lesson>& lessons, Random& random) const {
    const std::size_t objectives = options_.objectives.size();
    VectorXd costs(static_cast<Index>(lessons.size()));
    if (objectives == 1) {
      for (std::size_t i = 0; i < lessons.size(); ++i)
        costs[static_cast<Index>(i)] = lessons[i].costs.front();
      return costs;
    }
    std::vector<double> weights;
    double sum = 0;
    for (std::size_t k = 0; k < objectives; ++k) {
      weights.push_back(-std::log(1 - random.uniform()));
      sum += weights.back();
    }
    std::vector<double> low(objectives, std::numeric_limits<double>::infinity());
    std::vector<double> high(objectives, -std::numeric_limits<double>::infinity());
    for (const Lesson& lesson : lessons)
      for (std::size_t k = 0; k < objectives; ++k) {
        low[k] = std::min(low[k], lesson.costs[k]);
        high[k] = std::max(high[k], lesson.costs[k]);
      }
    constexpr double kRho = 0.05;
    for (std::size_t i = 0; i < lessons.size(); ++i) {
      double most = 0;
      double total = 0;
      for (std::size_t k = 0; k < objectives; ++k) {
        const double range = high[k] > low[k] ? high[k] - low[k] : 1;
        const double weighted = weights[k] / sum * (lessons[i].costs[k] - low[k]) / range;
        most = std::max(most, weighted);
        total += weighted;
      }
      costs[static_cast<Index>(i)] = most + kRho * total;
    }
    return costs;
  }

  GaussianProcess learn(const std::vector<Lesson>& lessons, const std::vector<Trial>& trials, Random& random,
                        double& best) const {
    VectorXd costs = scalar_costs(lessons, random);
    best = costs.minCoeff();
    // One hopeless run must not flatten the rest: what is far worse than most counts as the worst of those.
    std::vector<double> sorted(costs.data(), costs.data() + costs.size());
    std::ranges::sort(sorted);
    const double middle = sorted[sorted.size() / 2];
    costs = costs.array().min(middle + 3 * std::max(middle - best, 1e-6));
    MatrixXd points(costs.size(), static_cast<Index>(space_.encode(space_.defaults()).size()));
    for (std::size_t i = 0; i < lessons.size(); ++i)
      points.row(static_cast<Index>(i)) = point_of(space_, lessons[i].trial->configuration);
    GaussianProcess process(std::move(points), costs, random);
    for (const Trial& trial : trials) {
      if (trial.is_over()) continue;
      const VectorXd point = point_of(space_, trial.configuration);
      process = process.with(point, process.predict(point).mean);
    }
    return process;
  }

  Configuration most_promising(const GaussianProcess& process, double best,
                               const std::vector<Lesson>& lessons, Random& random) const {
    constexpr int kAnywhere = 1000;
    constexpr int kNearby = 400;
    std::vector<const Lesson*> good;
    for (const Lesson& lesson : lessons) good.push_back(&lesson);
    std::ranges::stable_sort(good, {}, [](const Lesson* lesson) { return lesson->costs.front(); });
    good.resize(std::min<std::size_t>(good.size(), 5));

    Configuration chosen;
    double most = -1;
    const auto consider = [&](Configuration configuration) {
      const double gain = expected_improvement(process.predict(point_of(space_, configuration)), best);
      if (gain <= most) return;
      most = gain;
      chosen = std::move(configuration);
    };
    for (int i = 0; i < kAnywhere; ++i) consider(space_.random(random));
    for (int i = 0; i < kNearby; ++i) {
      const Lesson& lesson = *good[random.below(good.size())];
      consider(near(lesson.trial->configuration, 0.1, random));
    }
    // From the best of these, downhill.
    double width = 0.1;
    for (int i = 0; i < kNearby; ++i, width *= 0.99) consider(near(chosen, width, random));
    return chosen;
  }

  Configuration near(const Configuration& from, double width, Random& random) const {
    constexpr double kKeep = 0.5;
    constexpr double kJump = 0.1;
    return space_.build([&](const Parameter& parameter) {
      const auto value = from.find(parameter.name);
      if (value == from.end()) return parameter.at(random.uniform());
      if (random.uniform() < kKeep) return *value;
      if (!parameter.is_number()) return random.uniform() < kJump ? parameter.at(random.uniform()) : *value;
      return parameter.at(parameter.unit(*value) + width * random.normal());
    });
  }

  const Space& space_;
  TunerOptions options_;
  Random random_;
};

}  // namespace

std::unique_ptr<Tuner> make_bayesian_tuner(const Space& space, const TunerOptions& options) {
  return std::make_unique<BayesianTuner>(space, options);
}

}  // namespace xray
