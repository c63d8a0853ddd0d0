#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "common/result.h"

namespace xray {

/// Writes selftest.json into a package and says on standard output what was pinned.
/// Failures name the package.
Result<Done> pin_package(const std::string& package);

/// `xray model pin`, as a sub-command of `group`.
void add_model_pin(CLI::App& group, int& exit_code);

}  // namespace xray
