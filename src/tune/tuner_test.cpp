#include "tune/tuner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tune/gaussian_process.h"
#include "tune/hyperband.h"
#include "tune/importance.h"
#include "tune/pruner.h"

namespace xray {
namespace {

using testing::ElementsAre;

Space space_of(const std::string& toml) {
  auto space = Space::parse(toml);
  EXPECT_TRUE(space) << (space ? "" : space.error().message);
  return std::move(*space);
}

const std::string kHills = R"(
[parameters.lr]
type = "float"
min = 1e-5
max = 1e-1
scale = "log"
[parameters.dropout]
type = "float"
min = 0.0
max = 0.8
[parameters.arch]
type = "choice"
values = ["small", "large", "odd"]
[parameters.idle]
type = "float"
min = 0.0
max = 1.0
)";

/// Best, 1, at lr 1e-3, dropout 0.3 and the large architecture.
double hills(const Configuration& c) {
  const double lr = std::log10(c["lr"].get<double>()) + 3;
  const double dropout = c["dropout"].get<double>() - 0.3;
  const double arch = c["arch"] == "large" ? 0 : c["arch"] == "small" ? 0.1 : 0.4;
  return 1 - 0.2 * lr * lr - dropout * dropout - arch;
}

Trial done(const Configuration& configuration, std::int64_t number, double auc) {
  return {.number = number,
          .configuration = configuration,
          .state = TrialState::kDone,
          .figures = {{"auc", auc}}};
}

std::vector<Trial> search(const Space& space, const TunerOptions& options, int trials) {
  const auto tuner = make_tuner(space, options);
  std::vector<Trial> all;
  for (int i = 1; i <= trials; ++i) {
    const Proposal proposal = (*tuner)->propose(all);
    const auto* fresh = std::get_if<NewTrial>(&proposal);
    if (fresh == nullptr) break;
    all.push_back(done(fresh->configuration, i, hills(fresh->configuration)));
  }
  return all;
}

double best_after(const std::string& kind, int trials, std::uint64_t seed) {
  const Space space = space_of(kHills);
  const auto all = search(space, {.kind = kind, .objectives = {{"auc"}}, .seed = seed}, trials);
  return ranked(all, {{"auc"}}).front()->figures.at("auc");
}

double mean_best(const std::string& kind, int trials) {
  constexpr int kSeeds = 8;
  double sum = 0;
  for (int seed = 1; seed <= kSeeds; ++seed)
    sum += best_after(kind, trials, static_cast<std::uint64_t>(seed));
  return sum / kSeeds;
}

TEST(Tuner, LearnsFromItsTrials) {
  const double random = mean_best("random", 30);
  const double bayesian = mean_best("bayesian", 30);
  const double evolution = mean_best("evolution", 60);
  EXPECT_GT(bayesian, 0.995);
  EXPECT_GT(bayesian, random);
  EXPECT_GT(evolution, mean_best("random", 60));
}

TEST(Tuner, ProposesTheSameAgainFromTheSameTrials) {
  const Space space = space_of(kHills);
  for (const char* kind : {"random", "bayesian", "evolution"}) {
    const TunerOptions options{.kind = kind, .objectives = {{"auc"}}, .seed = 5};
    const auto first = search(space, options, 20);
    const auto second = search(space, options, 20);
    for (std::size_t i = 0; i < first.size(); ++i)
      EXPECT_EQ(first[i].configuration, second[i].configuration) << kind;
  }
}

TEST(Tuner, NeverTriesTheSameTwiceAndSaysWhenNothingIsLeft) {
  const Space space = space_of(R"(
[parameters.arch]
type = "choice"
values = ["a", "b", "c"]
[parameters.augment]
type = "bool"
)");
  for (const char* kind : {"random", "grid", "bayesian", "evolution"}) {
    const auto tuner = make_tuner(space, {.kind = kind, .objectives = {{"auc"}}});
    std::vector<Trial> all;
    std::set<std::string> seen;
    for (int i = 1; i <= 6; ++i) {
      const Proposal proposal = (*tuner)->propose(all);
      ASSERT_TRUE(std::holds_alternative<NewTrial>(proposal)) << kind << i;
      const Configuration& configuration = std::get<NewTrial>(proposal).configuration;
      EXPECT_TRUE(seen.insert(configuration.dump()).second) << kind << configuration;
      all.push_back(done(configuration, i, 0.1 * i));
    }
    EXPECT_TRUE(std::holds_alternative<Exhausted>((*tuner)->propose(all))) << kind;
  }
}

TEST(Tuner, BeginsWithTheDefaults) {
  const Space space =
      space_of("[parameters.dropout]\ntype = \"float\"\nmin = 0.0\nmax = 1.0\ndefault = 0.25");
  const auto tuner = make_tuner(space, {.kind = "bayesian", .objectives = {{"auc"}}});
  EXPECT_EQ(std::get<NewTrial>((*tuner)->propose({})).configuration["dropout"], 0.25);
}

TEST(Tuner, SpreadsParallelTrials) {
  const Space space = space_of(kHills);
  const TunerOptions options{.kind = "bayesian", .objectives = {{"auc"}}};
  auto all = search(space, options, 15);
  const auto tuner = make_tuner(space, options);
  for (int i = 0; i < 3; ++i) {
    Trial running{.number = 16 + i,
                  .configuration = std::get<NewTrial>((*tuner)->propose(all)).configuration,
                  .state = TrialState::kRunning};
    for (const Trial& other : all) EXPECT_NE(other.configuration, running.configuration);
    all.push_back(running);
  }
}

TEST(Hyperband, HasTheBracketsOfThePaper) {
  // Li 2018, table 1: R = 81, eta = 3.
  const auto brackets = hyperband_brackets(81, 3);
  ASSERT_EQ(brackets.size(), 5U);
  const auto numbers = [](const std::vector<Rung>& rungs) {
    std::vector<std::pair<int, int>> all;
    for (const Rung& rung : rungs) all.emplace_back(rung.trials, rung.epochs);
    return all;
  };
  EXPECT_THAT(numbers(brackets[0]), ElementsAre(std::pair(81, 1), std::pair(27, 3), std::pair(9, 9),
                                                std::pair(3, 27), std::pair(1, 81)));
  EXPECT_THAT(numbers(brackets[3]), ElementsAre(std::pair(8, 27), std::pair(2, 81)));
  EXPECT_THAT(numbers(brackets[4]), ElementsAre(std::pair(5, 81)));
}

TEST(Hyperband, TakesTheBestFurther) {
  const Space space = space_of(kHills);
  const TunerOptions options{.kind = "hyperband", .objectives = {{"auc"}}, .max_epochs = 9};
  const auto tuner = make_tuner(space, options);
  std::vector<Trial> all;
  std::vector<int> epochs;  // spent, per proposal
  // Brackets of 9 at 1, 3 at 3, 1 at 9; 5 at 3, 1 at 9; 3 at 9.
  for (int i = 0; i < 22; ++i) {
    const Proposal proposal = (*tuner)->propose(all);
    if (const auto* fresh = std::get_if<NewTrial>(&proposal)) {
      Trial trial =
          done(fresh->configuration, static_cast<std::int64_t>(all.size()) + 1, hills(fresh->configuration));
      trial.state = fresh->epochs > 0 ? TrialState::kPaused : TrialState::kDone;
      trial.epochs = fresh->epochs;
      trial.place = fresh->place;
      all.push_back(trial);
      continue;
    }
    const auto& promotion = std::get<Promotion>(proposal);
    Trial& trial = *std::ranges::find(all, promotion.number, &Trial::number);
    EXPECT_EQ(trial.state, TrialState::kPaused);
    // None better was left behind in its bracket.
    for (const Trial& other : all) {
      const bool beside = other.state == TrialState::kPaused &&
                          other.place->bracket == trial.place->bracket &&
                          other.place->rung == trial.place->rung;
      if (!beside) continue;
      EXPECT_LE(other.figures.at("auc"), trial.figures.at("auc"));
    }
    trial.epochs = promotion.epochs;
    trial.place = promotion.place;
    trial.state = promotion.epochs > 0 ? TrialState::kPaused : TrialState::kDone;
  }
  EXPECT_EQ(all.size(), 17U);
  EXPECT_EQ(std::ranges::count(all, TrialState::kDone, &Trial::state), 5);
}

TEST(Hyperband, WaitsForWhatStillRuns) {
  const Space space = space_of(kHills);
  const auto tuner = make_tuner(space, {.kind = "hyperband", .objectives = {{"auc"}}, .max_epochs = 3});
  std::vector<Trial> all;
  for (int i = 0;; ++i) {
    ASSERT_LT(i, 20);
    const Proposal proposal = (*tuner)->propose(all);
    if (std::holds_alternative<Wait>(proposal)) break;
    const auto& fresh = std::get<NewTrial>(proposal);
    all.push_back({.number = i + 1,
                   .configuration = fresh.configuration,
                   .state = TrialState::kRunning,
                   .epochs = fresh.epochs,
                   .place = fresh.place});
  }
  EXPECT_EQ(all.size(), 5U);  // 3 of the first bracket, 2 of the second
}

TEST(GaussianProcess, GoesThroughItsPointsAndDoubtsElsewhere) {
  Eigen::MatrixXd points(6, 1);
  points << 0.0, 0.1, 0.2, 0.3, 0.4, 0.5;
  Eigen::VectorXd values(6);
  for (int i = 0; i < 6; ++i) values[i] = std::sin(6 * points(i, 0));
  Random random(1);
  const GaussianProcess process(points, values, random);
  const auto at = [&](double x) { return process.predict(Eigen::VectorXd::Constant(1, x)); };
  EXPECT_NEAR(at(0.25).mean, std::sin(1.5), 0.05);
  EXPECT_LT(at(0.25).deviation, at(1.0).deviation / 3);
  const auto known = process.with(Eigen::VectorXd::Constant(1, 1.0), 0.5);
  EXPECT_LT(known.predict(Eigen::VectorXd::Constant(1, 1.0)).deviation, at(1.0).deviation / 2);
}

TEST(GaussianProcess, ExpectsImprovementAsTheFormulaSays) {
  EXPECT_DOUBLE_EQ(expected_improvement({.mean = 1, .deviation = 0}, 3), 2);
  EXPECT_NEAR(expected_improvement({.mean = 0, .deviation = 1}, 0), 1 / std::sqrt(2 * M_PI), 1e-12);
  EXPECT_LT(expected_improvement({.mean = 5, .deviation = 1}, 0), 1e-6);
}

TEST(Trial, RanksByParetoDominance) {
  EXPECT_THAT(pareto_ranks({{1, 4}, {2, 2}, {4, 1}, {3, 3}, {5, 5}}), ElementsAre(0, 0, 0, 1, 2));
  std::vector<Trial> trials;
  for (const auto& [auc, parameters] : {std::pair(0.9, 10.0), std::pair(0.99, 50.0), std::pair(0.95, 60.0)}) {
    Trial trial = done({{"n", trials.size()}}, static_cast<std::int64_t>(trials.size()) + 1, auc);
    trial.figures["parameters"] = parameters;
    trials.push_back(trial);
  }
  const std::vector<Objective> both = {{"auc", true}, {"parameters", false}};
  std::vector<std::int64_t> numbers;
  for (const Trial* trial : pareto_front(trials, both)) numbers.push_back(trial->number);
  EXPECT_THAT(numbers, ElementsAre(1, 2));
  EXPECT_EQ(ranked(trials, both).back()->number, 3);
}

TEST(Trial, ObjectivesHaveTheirUsualDirection) {
  EXPECT_TRUE(objective_from("auc")->maximise);
  EXPECT_FALSE(objective_from("parameters")->maximise);
  EXPECT_TRUE(objective_from("parameters:max")->maximise);
  EXPECT_FALSE(objective_from("auc:up"));
  EXPECT_FALSE(objective_from("a b"));
}

std::vector<Trial> with_progress(const std::vector<std::map<int, double>>& progress) {
  std::vector<Trial> trials;
  for (const auto& steps : progress)
    trials.push_back({.number = static_cast<std::int64_t>(trials.size()) + 1, .progress = steps});
  return trials;
}

TEST(Pruner, MedianGivesUpTheWorseHalf) {
  const auto trials = with_progress({{{1, 0.9}, {2, 0.95}}, {{1, 0.8}}, {{1, 0.85}}, {{1, 0.7}}, {{1, 0.6}}});
  const PrunerOptions median{.kind = "median", .least = 4};
  EXPECT_TRUE(is_hopeless(median, {"auc"}, trials[4], 1, trials));
  EXPECT_FALSE(is_hopeless(median, {"auc"}, trials[0], 1, trials));
  // Nobody else has come to step 2.
  EXPECT_FALSE(is_hopeless(median, {"auc"}, trials[0], 2, trials));
  EXPECT_FALSE(is_hopeless({.kind = "median", .least = 5}, {"auc"}, trials[4], 1, trials));
  EXPECT_FALSE(is_hopeless({.kind = "none"}, {"auc"}, trials[4], 1, trials));
  // Less is better: the first is the worst.
  EXPECT_TRUE(is_hopeless(median, {"brier", false}, trials[0], 1, trials));
}

TEST(Pruner, AshaLetsTheBestThirdGoOn) {
  std::vector<std::map<int, double>> progress;
  for (int i = 0; i < 9; ++i) progress.push_back({{1, 0.5 + 0.05 * i}, {2, 0.5 + 0.05 * i}});
  const auto trials = with_progress(progress);
  const PrunerOptions asha{.kind = "asha", .factor = 3};
  int on = 0;
  for (const Trial& trial : trials) on += is_hopeless(asha, {"auc"}, trial, 1, trials) ? 0 : 1;
  EXPECT_EQ(on, 3);
  EXPECT_FALSE(is_hopeless(asha, {"auc"}, trials[0], 2, trials)) << "2 is no rung";
}

TEST(Importance, FindsWhatMatters) {
  const Space space = space_of(kHills);
  const auto trials = search(space, {.kind = "random", .objectives = {{"auc"}}}, 80);
  const auto shares = parameter_importance(space, trials, "auc");
  ASSERT_EQ(shares.size(), 4U);
  EXPECT_EQ(shares.front().first, "lr");
  const auto of = [&](const std::string& name) {
    return std::ranges::find(shares, name, &std::pair<std::string, double>::first)->second;
  };
  EXPECT_GT(of("lr"), 5 * of("idle"));
  EXPECT_GT(of("arch"), of("idle"));
  EXPECT_TRUE(parameter_importance(space, {trials.begin(), trials.begin() + 4}, "auc").empty());
}

}  // namespace
}  // namespace xray
