#include "cli/options.h"

#include <iostream>

#include "common/text.h"

namespace xray {

int fail(const std::string& what, int exit_code) {
  std::cerr << "xray: " << printable(what) << '\n';
  return exit_code;
}

void add_model_option(CLI::App& command, std::string& model) {
  command.add_option("--model", model, "Model package (default: $XRAY_MODEL, else the one shipped)")
      ->type_name("FOLDER");
}

void add_limit_options(CLI::App& command, DecodeLimits& limits) {
  command
      .add_option("--max-bytes", limits.max_bytes,
                  "Largest file that is taken, such as 64MB (default: 64 MiB)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  command
      .add_option("--max-pixels", limits.max_pixels,
                  "Largest picture that is decoded, width times height (default: 100000000)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
}

Result<std::unique_ptr<Diagnoser>> open_diagnoser(const std::string& model, const DecodeLimits& limits,
                                                  const BackendOptions& options) {
  const auto package = model.empty() ? default_package() : std::filesystem::path(model);
  if (!package) return package.error();
  auto diagnoser = make_diagnoser(*package, limits, options);
  if (!diagnoser) return with_context(diagnoser.error(), package->string());
  return diagnoser;
}

}  // namespace xray
