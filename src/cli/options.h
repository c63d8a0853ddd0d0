#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "common/result.h"
#include "diagnose/diagnoser.h"

namespace xray {

/// Says "xray: `what`" on standard error, control characters made visible, and
/// returns `exit_code`.
int fail(const std::string& what, int exit_code = kExitSomeFailed);

/// {"code", "message"}.
nlohmann::ordered_json to_json(const Error& error);

/// Which network is to be asked.
struct ModelChoice {
  std::string folder;                  ///< of the package; empty: the default one
  std::optional<Precision> precision;  ///< without a wish the faster one of the package
};

/// --model FOLDER and --precision.
void add_model_options(CLI::App& command, ModelChoice& model);

/// --max-bytes SIZE and --max-pixels N.
void add_limit_options(CLI::App& command, DecodeLimits& limits);

/// Failures name the package. The precision of `options` gives way to that of `model`.
Result<std::unique_ptr<Diagnoser>> open_diagnoser(const ModelChoice& model, const DecodeLimits& limits,
                                                  BackendOptions options);

}  // namespace xray
