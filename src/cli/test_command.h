#pragma once

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace xray::test {

/// What a sub-command printed and returned.
struct CommandRun {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// Runs `xray` with the sub-command that `add` adds, in this process.
inline CommandRun run_command(void (*add)(CLI::App&, int&), std::vector<std::string> arguments) {
  // CLI11 takes them from the end.
  std::reverse(arguments.begin(), arguments.end());
  CommandRun run;
  CLI::App app;
  add(app, run.exit_code);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError&) {
    run.exit_code = kExitUsage;
  }
  run.out = testing::internal::GetCapturedStdout();
  run.err = testing::internal::GetCapturedStderr();
  return run;
}

}  // namespace xray::test
