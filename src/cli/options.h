#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "common/result.h"
#include "diagnose/diagnoser.h"

namespace xray {

/// Says "xray: `what`" on standard error, control characters made visible, and
/// returns `exit_code`.
int fail(const std::string& what, int exit_code = kExitSomeFailed);

/// --model FOLDER.
void add_model_option(CLI::App& command, std::string& model);

/// --max-bytes SIZE and --max-pixels N.
void add_limit_options(CLI::App& command, DecodeLimits& limits);

/// The diagnoser of the package `model`, or of the default one where that is empty;
/// failures name the package.
Result<std::unique_ptr<Diagnoser>> open_diagnoser(const std::string& model, const DecodeLimits& limits,
                                                  const BackendOptions& options);

}  // namespace xray
