// xray-train: everything that needs LibTorch.
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "cli/train_commands.h"

namespace {

/// Threads of LibTorch that wait for each other keep their cores busy for long, by libgomp's default. Where
/// others need the cores, too, that costs more than half of the speed; a thirtieth of the wait costs a
/// twentieth where they do not. libgomp reads its settings when it is loaded, so the program begins anew with
/// them.
void wait_briefly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  ::setenv("GOMP_SPINCOUNT", "10000", 0);
  ::execv("/proc/self/exe", argv);
}

}  // namespace

int main(int argc, char** argv) {
  wait_briefly(argv);
#ifdef __GLIBC__
  // Memory given back after every layer is faulted in again by the next one: a quarter
  // of a training step went there. So it is kept.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
  CLI::App app{
      "Trains the network that xray reads chest X-rays with.\n\n"
      "  xray-train lungs --films chest_xray/train --masks chest_xray/lung_masks --out runs/lungs\n"
      "  xray-train gate --films chest_xray/train --others photographs --lungs runs/lungs/package\n"
      "  xray-train crossval --data chest_xray/train --lungs runs/lungs/package --out runs/cv\n"
      "  xray-train fit --data chest_xray/train --lungs runs/lungs/package --out runs/first\n"
      "  xray-train severity --data chest_xray/train --scores scores.csv --films scored \\\n"
      "      --lungs runs/lungs/package --out runs/severity\n"
      "  xray evaluate chest_xray/val --model runs/first/package"};
  app.name("xray-train");
  app.set_version_flag("--version", "xray-train " XRAY_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  xray::add_lungs(app, exit_code);
  xray::add_gate(app, exit_code);
  xray::add_crossval(app, exit_code);
  xray::add_fit(app, exit_code);
  xray::add_severity(app, exit_code);
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
