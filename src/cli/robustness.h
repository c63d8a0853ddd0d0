#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/options.h"
#include "dataset/dataset.h"

namespace xray {

struct RobustnessOptions {
  ModelChoice model;
  std::optional<double> threshold;  ///< instead of the card's
  int threads = 0;                  ///< 0: all cores
  std::size_t limit = 0;            ///< pictures at most, evenly from both classes; 0: all
  bool json = false;
  std::string predictions;  ///< CSV file to write; none where empty
};

/// At most `limit` samples: as many of each class as the other, or what there is of
/// it; at even distances in the order given, so that every group has its share.
std::vector<Sample> spread(const std::vector<Sample>& samples, std::size_t limit);

/// Reads every sample under each row of kRobustnessSuite, prints how verdicts and
/// figures move, and returns the exit code. Memory: a few pictures per thread.
int evaluate_robustness(const std::vector<Sample>& samples, const RobustnessOptions& options,
                        const std::stop_token& stop);

}  // namespace xray
