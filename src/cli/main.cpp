#include <csignal>
#include <exception>
#include <iostream>

#include "cli/commands.h"

namespace {

constexpr const char* kAbout =
    "Reads chest X-rays for pneumonia: tells normal films from those that show pneumonia,\n"
    "with calibrated percentages and a heat map of where the evidence lies.\n"
    "A second reader, not a diagnosis: a physician decides.";

constexpr const char* kExamples =
    "Examples:\n"
    "  xray predict film.jpeg                 one picture, as a table\n"
    "  xray predict --json films/ > out.jsonl a folder, one JSON object per line\n"
    "  find . -name '*.png' | xray predict -  file names from standard input\n"
    "  xray evaluate chest_xray/test          quality on labelled pictures\n"
    "  xray compare BEFORE AFTER              what changed between two films of a patient\n"
    "  xray explore chest_xray --out data.html  what the pictures are like, as a page\n"
    "  xray serve                             the web page on http://127.0.0.1:8080\n"
    "  xray health                            whether a server is ready\n"
    "  xray bench                             how many pictures a second this machine reads\n"
    "  xray tune --space FILE ...             search for hyperparameters of the trainer\n"
    "  xray model quantize MODEL ...          a package with the network in 8 bit\n"
    "  xray model import NETWORK ...          a network from Keras, TensorFlow or ONNX as a package\n"
    "  xray user add jane --role reviewer     an account, for a server that others can reach\n"
    "\n"
    "'xray COMMAND --help' tells more. Exit code: 0 all went well, 1 something failed, 2 wrong usage.";

int run(int argc, char** argv) {
  CLI::App app(kAbout, "xray");
  app.footer(kExamples);
  app.set_version_flag("--version", "xray " XRAY_VERSION);
  app.require_subcommand(1);

  int exit_code = xray::kExitOk;
  xray::add_predict(app, exit_code);
  xray::add_compare(app, exit_code);
  xray::add_evaluate(app, exit_code);
  xray::add_explore(app, exit_code);
  xray::add_bench(app, exit_code);
  xray::add_serve(app, exit_code);
  xray::add_health(app, exit_code);
  xray::add_tune(app, exit_code);
  xray::add_model(app, exit_code);
  xray::add_user(app, exit_code);
  xray::add_token(app, exit_code);
  xray::add_audit(app, exit_code);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::cerr << "xray: " << error.what() << "\nTry 'xray --help'.\n";
    return xray::kExitUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away (`xray predict ... | head`) is a failed write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  // So is a file that may not grow (ulimit -f).
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "xray: internal error: " << error.what() << '\n';
    return xray::kExitSomeFailed;
  }
}
