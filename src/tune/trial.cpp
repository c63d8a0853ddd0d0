#include "tune/trial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace xray {
namespace {

constexpr std::array<std::string_view, 8> kStates = {"waiting", "running", "paused",  "done",
                                                     "pruned",  "failed",  "invalid", "imported"};

bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

/// How far apart a point lies from its neighbours of the same rank; the ends are infinitely far.
std::vector<double> crowding(const std::vector<std::vector<double>>& costs, const std::vector<int>& ranks) {
  std::vector<double> distance(costs.size(), 0);
  const int last = costs.empty() ? -1 : *std::ranges::max_element(ranks);
  for (int rank = 0; rank <= last; ++rank) {
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < costs.size(); ++i)
      if (ranks[i] == rank) members.push_back(i);
    for (std::size_t k = 0; k < costs.front().size(); ++k) {
      std::ranges::sort(members, {}, [&](std::size_t i) { return std::pair(costs[i][k], i); });
      const double range = costs[members.back()][k] - costs[members.front()][k];
      distance[members.front()] = distance[members.back()] = std::numeric_limits<double>::infinity();
      if (range <= 0) continue;
      for (std::size_t i = 1; i + 1 < members.size(); ++i)
        distance[members[i]] += (costs[members[i + 1]][k] - costs[members[i - 1]][k]) / range;
    }
  }
  return distance;
}

}  // namespace

Result<Objective> objective_from(const std::string& text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  Objective objective{.name = text.substr(0, colon)};
  static const std::set<std::string_view> kLess = {"brier",           "ece",       "parameters", "seconds",
                                                   "validation_loss", "train_loss"};
  if (objective.name.empty() ||
      objective.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") !=
          std::string::npos)
    return Error{ErrorCode::kInvalidArgument, "'" + text + "' names no figure (as auc or parameters:min)"};
  objective.maximise = !kLess.contains(objective.name);
  if (colon == text.size()) return objective;
  const std::string direction = text.substr(colon + 1);
  if (direction != "min" && direction != "max")
    return Error{ErrorCode::kInvalidArgument, "'" + text + "': the direction is min or max"};
  objective.maximise = direction == "max";
  return objective;
}

std::string to_text(const Objective& objective) {
  return objective.name + (objective.maximise ? ":max" : ":min");
}

std::string_view name(TrialState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

Result<TrialState> trial_state_from(std::string_view text) {
  const auto* found = std::ranges::find(kStates, text);
  if (found == kStates.end())
    return Error{ErrorCode::kStorage, "'" + std::string(text) + "' is no state of a trial"};
  return static_cast<TrialState>(found - kStates.begin());
}

bool Trial::is_over() const {
  switch (state) {
    case TrialState::kWaiting:
    case TrialState::kRunning:
    case TrialState::kPaused:
      return false;
    case TrialState::kDone:
    case TrialState::kPruned:
    case TrialState::kFailed:
    case TrialState::kInvalid:
    case TrialState::kImported:
      return true;
  }
  return true;
}

std::optional<std::vector<double>> Trial::costs(const std::vector<Objective>& objectives) const {
  std::vector<double> all;
  for (const Objective& objective : objectives) {
    const auto figure = figures.find(objective.name);
    if (figure == figures.end() || !std::isfinite(figure->second)) return std::nullopt;
    all.push_back(objective.cost(figure->second));
  }
  return all;
}

std::vector<const Trial*> finished(const std::vector<Trial>& trials,
                                   const std::vector<Objective>& objectives) {
  std::vector<const Trial*> all;
  for (const Trial& trial : trials)
    if ((trial.state == TrialState::kDone || trial.state == TrialState::kImported) && trial.costs(objectives))
      all.push_back(&trial);
  return all;
}

std::vector<int> pareto_ranks(const std::vector<std::vector<double>>& costs) {
  std::vector<int> ranks(costs.size(), -1);
  std::size_t left = costs.size();
  for (int rank = 0; left > 0; ++rank) {
    std::vector<std::size_t> front;
    for (std::size_t i = 0; i < costs.size(); ++i) {
      if (ranks[i] >= 0) continue;
      bool beaten = false;
      for (std::size_t k = 0; k < costs.size() && !beaten; ++k)
        beaten = ranks[k] < 0 && dominates(costs[k], costs[i]);
      if (!beaten) front.push_back(i);
    }
    for (const std::size_t i : front) ranks[i] = rank;
    left -= front.size();
  }
  return ranks;
}

std::vector<const Trial*> ranked(const std::vector<Trial>& trials, const std::vector<Objective>& objectives) {
  const std::vector<const Trial*> all = finished(trials, objectives);
  if (all.empty()) return all;
  std::vector<std::vector<double>> costs;
  for (const Trial* trial : all) costs.push_back(*trial->costs(objectives));
  const std::vector<int> ranks =
      objectives.size() == 1 ? std::vector<int>(all.size(), 0) : pareto_ranks(costs);
  const std::vector<double> apart =
      objectives.size() == 1 ? std::vector<double>(all.size(), 0) : crowding(costs, ranks);
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    if (objectives.size() == 1) return costs[a][0] < costs[b][0];
    return std::pair(ranks[a], -apart[a]) < std::pair(ranks[b], -apart[b]);
  });
  std::vector<const Trial*> sorted;
  for (const std::size_t i : order) sorted.push_back(all[i]);
  return sorted;
}

std::vector<const Trial*> pareto_front(const std::vector<Trial>& trials,
                                       const std::vector<Objective>& objectives) {
  const std::vector<const Trial*> all = finished(trials, objectives);
  std::vector<std::vector<double>> costs;
  for (const Trial* trial : all) costs.push_back(*trial->costs(objectives));
  const std::vector<int> ranks = pareto_ranks(costs);
  std::vector<const Trial*> front;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (ranks[i] == 0) front.push_back(all[i]);
  return front;
}

}  // namespace xray
