// xray-train: everything that needs LibTorch.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "cli/train_commands.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Trains the network that xray reads chest X-rays with.\n\n"
      "  xray-train fit --data chest_xray/train --out runs/first\n"
      "  xray evaluate chest_xray/val --model runs/first/package"};
  app.name("xray-train");
  app.set_version_flag("--version", "xray-train " XRAY_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  xray::add_fit(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 numbers its errors from 100; to us every one is wrong usage.
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "xray-train: " << error.what() << '\n';
    return 1;
  }
  return exit_code;
}
