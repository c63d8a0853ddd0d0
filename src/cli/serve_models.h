#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/options.h"
#include "common/result.h"
#include "serve/models/model_repository.h"
#include "serve/models/model_set.h"
#include "serve/models/model_watcher.h"
#include "serve/models/shadow.h"

namespace xray {

/// Which models `xray serve` serves, and which of them answers whom.
struct ServeModels {
  ModelChoice model;
  std::string folder;   ///< of several models; empty: `model` alone
  std::string primary;  ///< a name in `folder`; empty: the only one there
  double canary_share = 0;
  std::string shadow;  ///< as parse_shadow_target() reads it; empty: none
  double shadow_share = 100;
};

/// --model, --precision, --model-dir, --primary, --canary-share, --shadow and --shadow-share.
void add_serve_models(CLI::App& command, ServeModels& models);

/// The models being served, and the threads that see to them. Destroyed before what is declared here
/// first: the threads end before the models go.
struct RunningModels {
  std::unique_ptr<ModelRepository> repository;  ///< null for a single model
  std::unique_ptr<ModelSet> set;                ///< not null
  std::unique_ptr<Shadow> shadow;               ///< null where none is asked
  std::unique_ptr<ModelWatcher> watcher;        ///< null for a single model
};

/// Loads them and begins to watch their folder. Failures name it; kInvalidArgument is wrong usage.
Result<RunningModels> open_models(const ServeModels& models, const DecodeLimits& limits, int threads);

}  // namespace xray
