#pragma once

#include <cstddef>
#include <stop_token>
#include <vector>

#include "cli/options.h"
#include "dataset/dataset.h"

namespace xray {

struct LocalisationOptions {
  ModelChoice model;
  int threads = 0;        ///< 0: all cores
  std::size_t limit = 0;  ///< pictures at most, evenly from both classes; 0: all
  bool json = false;
};

/// How well heat map and severity point: at opacities drawn into the normal films, and by what
/// becomes of the pneumonia films' percentage where the hottest parts are blurred away. Prints
/// it and returns the exit code.
int evaluate_localisation(const std::vector<Sample>& samples, const LocalisationOptions& options,
                          const std::stop_token& stop);

}  // namespace xray
