#include "tune/importance.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "common/random.h"

namespace xray {
namespace {

constexpr std::size_t kLeast = 8;
constexpr int kTrees = 64;
constexpr std::size_t kLeaf = 3;  ///< examples that are not divided any more
constexpr int kBackground = 128;
constexpr int kPoints = 16;  ///< at which a parameter is looked at

struct Example {
  std::vector<double> point;
  double value = 0;
};

/// A regression tree with random cuts, the best of a few (extremely randomised trees, Geurts 2006).
class Tree {
 public:
  Tree(std::vector<const Example*> examples, Random& random) { root_ = grow(examples, random); }

  double predict(const std::vector<double>& point) const {
    const Node* node = root_.get();
    while (node->left) node = point[node->dimension] < node->cut ? node->left.get() : node->right.get();
    return node->value;
  }

 private:
  struct Node {
    std::size_t dimension = 0;
    double cut = 0;
    double value = 0;
    std::unique_ptr<Node> left;
    std::unique_ptr<Node> right;
  };

  static double mean(std::span<const Example* const> examples) {
    double sum = 0;
    for (const Example* example : examples) sum += example->value;
    return sum / static_cast<double>(examples.size());
  }
  static double spread(std::span<const Example* const> examples) {
    const double middle = mean(examples);
    double sum = 0;
    for (const Example* example : examples) sum += (example->value - middle) * (example->value - middle);
    return sum;
  }

  static std::unique_ptr<Node> grow(std::span<const Example*> examples, Random& random) {
    auto node = std::make_unique<Node>();
    node->value = mean(examples);
    if (examples.size() <= kLeaf) return node;
    const std::size_t dimensions = examples.front()->point.size();
    double least = spread(examples) * (1 - 1e-9);
    bool found = false;
    for (std::size_t dimension = 0; dimension < dimensions; ++dimension) {
      const auto [low, high] = std::ranges::minmax_element(
          examples, {}, [&](const Example* example) { return example->point[dimension]; });
      const double from = (*low)->point[dimension];
      const double to = (*high)->point[dimension];
      if (!(to > from)) continue;
      const double cut = random.uniform(from, to);
      const auto right = std::ranges::partition(
          examples, [&](const Example* example) { return example->point[dimension] < cut; });
      const std::size_t left = examples.size() - right.size();
      if (left == 0 || right.empty()) continue;
      const double total = spread(examples.first(left)) + spread(examples.subspan(left));
      if (total >= least) continue;
      least = total;
      node->dimension = dimension;
      node->cut = cut;
      found = true;
    }
    if (!found) return node;
    const auto right = std::ranges::partition(
        examples, [&](const Example* example) { return example->point[node->dimension] < node->cut; });
    const std::size_t left = examples.size() - right.size();
    node->left = grow(examples.first(left), random);
    node->right = grow(examples.subspan(left), random);
    return node;
  }

  std::unique_ptr<Node> root_;
};

double variance(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return squares / static_cast<double>(values.size());
}

}  // namespace

std::vector<std::pair<std::string, double>> parameter_importance(const Space& space,
                                                                 const std::vector<Trial>& trials,
                                                                 const std::string& figure) {
  std::vector<Example> examples;
  for (const Trial& trial : trials) {
    const auto value = trial.figures.find(figure);
    if (value == trial.figures.end() || !std::isfinite(value->second)) continue;
    if (trial.state != TrialState::kDone && trial.state != TrialState::kImported) continue;
    examples.push_back({space.encode(trial.configuration), value->second});
  }
  std::vector<double> values;
  for (const Example& example : examples) values.push_back(example.value);
  if (examples.size() < kLeast || !(variance(values) > 0)) return {};

  Random random(1);
  std::vector<Tree> forest;
  for (int i = 0; i < kTrees; ++i) {
    std::vector<const Example*> drawn;
    for (std::size_t k = 0; k < examples.size(); ++k)
      drawn.push_back(&examples[random.below(examples.size())]);
    forest.emplace_back(std::move(drawn), random);
  }
  const auto predict = [&](const Configuration& configuration) {
    const std::vector<double> point = space.encode(configuration);
    double sum = 0;
    for (const Tree& tree : forest) sum += tree.predict(point);
    return sum / kTrees;
  };
  std::vector<Configuration> background;
  std::vector<double> predictions;
  for (int i = 0; i < kBackground; ++i) {
    background.push_back(space.random(random));
    predictions.push_back(predict(background.back()));
  }
  const double total = variance(predictions);
  if (!(total > 0)) return {};

  std::vector<std::pair<std::string, double>> shares;
  for (const Parameter& parameter : space.parameters()) {
    if (parameter.count() == 1) continue;
    std::vector<double> effect;
    for (int k = 0; k < kPoints; ++k) {
      const auto value = parameter.at((k + 0.5) / kPoints);
      double sum = 0;
      int exist = 0;
      for (const Configuration& one : background) {
        if (!one.contains(parameter.name)) continue;
        Configuration changed = one;
        changed[parameter.name] = value;
        sum += predict(changed);
        ++exist;
      }
      if (exist > 0) effect.push_back(sum / exist);
    }
    if (!effect.empty()) shares.emplace_back(parameter.name, std::min(1.0, variance(effect) / total));
  }
  std::ranges::stable_sort(shares, std::ranges::greater{}, &std::pair<std::string, double>::second);
  return shares;
}

}  // namespace xray
