#pragma once

#include <CLI/CLI.hpp>

namespace xray {

/// `xray model export`, as a sub-command of `group`.
void add_model_export(CLI::App& group, int& exit_code);

}  // namespace xray
