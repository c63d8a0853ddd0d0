#pragma once

#include <CLI/CLI.hpp>

namespace xray {

/// `xray model import`, as a sub-command of `group`.
void add_model_import(CLI::App& group, int& exit_code);

}  // namespace xray
