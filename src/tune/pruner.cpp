#include "tune/pruner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace xray {
namespace {

/// The least cost at or before `step`; none where the trial did not come so far.
std::optional<double> best_until(const Objective& objective, const Trial& trial, int step) {
  if (!trial.progress.contains(step)) return std::nullopt;
  double best = std::numeric_limits<double>::infinity();
  for (const auto& [at, value] : trial.progress)
    if (at <= step && std::isfinite(value)) best = std::min(best, objective.cost(value));
  return std::isfinite(best) ? std::optional(best) : std::nullopt;
}

bool is_rung(const PrunerOptions& options, int step) {
  for (long rung = options.warm_up; rung <= step; rung *= options.factor)
    if (rung == step) return true;
  return false;
}

}  // namespace

Result<Done> check(const PrunerOptions& options) {
  if (options.kind == "none" || options.kind == "median" || options.kind == "asha") return Done{};
  return Error{ErrorCode::kInvalidArgument, "no pruner '" + options.kind + "' (none, median, asha)"};
}

bool is_hopeless(const PrunerOptions& options, const Objective& objective, const Trial& trial, int step,
                 const std::vector<Trial>& trials) {
  if (options.kind == "none" || step < options.warm_up) return false;
  const bool median = options.kind == "median";
  if (!median && !is_rung(options, step)) return false;
  const std::optional<double> own = best_until(objective, trial, step);
  if (!own) return false;
  std::vector<double> others;
  for (const Trial& other : trials) {
    if (other.number == trial.number || other.state == TrialState::kImported) continue;
    if (const auto cost = best_until(objective, other, step)) others.push_back(*cost);
  }
  if (others.size() < static_cast<std::size_t>(options.least)) return false;
  std::ranges::sort(others);
  if (median) {
    const std::size_t half = others.size() / 2;
    const double middle = others.size() % 2 == 1 ? others[half] : (others[half - 1] + others[half]) / 2;
    return *own > middle;
  }
  const auto better =
      static_cast<double>(std::ranges::count_if(others, [&](double cost) { return cost < *own; }));
  return better >= std::ceil(static_cast<double>(others.size() + 1) / options.factor);
}

}  // namespace xray
