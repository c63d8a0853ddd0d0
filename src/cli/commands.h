#pragma once

#include <CLI/CLI.hpp>

namespace xray {

/// Exit codes of the process.
constexpr int kExitOk = 0;
constexpr int kExitSomeFailed = 1;     ///< some files (or the whole run) failed
constexpr int kExitUsage = 2;          ///< the command line makes no sense
constexpr int kExitInterrupted = 130;  ///< stopped by Ctrl-C, as shells count it

/// Each adds one sub-command to `app`. The work is done inside app.parse(), and
/// what the process is to exit with is left in `exit_code`; both references must
/// live until then.
void add_predict(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_evaluate(CLI::App& app, int& exit_code);
void add_explore(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_serve(CLI::App& app, int& exit_code);
void add_health(CLI::App& app, int& exit_code);
void add_tune(CLI::App& app, int& exit_code);
/// A group: `xray model quantize`, `pin`, `import`, `export`.
void add_model(CLI::App& app, int& exit_code);
/// Groups: `xray user add`, `xray token create`, ...; and `xray audit`.
void add_user(CLI::App& app, int& exit_code);
void add_token(CLI::App& app, int& exit_code);
void add_audit(CLI::App& app, int& exit_code);

}  // namespace xray
