#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "tune/trial.h"

namespace xray {

/// When a trial is given up.
struct PrunerOptions {
  std::string kind = "median";  ///< "none", "median", "asha"
  int factor = 3;               ///< of asha: one in so many goes on
  int warm_up = 1;              ///< steps before which nothing is given up
  int least = 4;                ///< trials that must have come as far
};

/// kInvalidArgument for a kind that is none.
Result<Done> check(const PrunerOptions& options);

/// Whether `trial` is hopeless at `step`, its Trial::progress compared with those of the others at
/// the same step. "median": its best so far is worse than the median of theirs (Golovin 2017). "asha": at
/// steps warm_up * factor^k it is not among the best 1/factor of all that came so far (Li 2020,
/// the variant that stops).
bool is_hopeless(const PrunerOptions& options, const Objective& objective, const Trial& trial, int step,
                 const std::vector<Trial>& trials);

}  // namespace xray
