#include "cli/options.h"

#include <iostream>
#include <map>

#include "cli/cache_folder.h"
#include "common/text.h"

namespace xray {

nlohmann::ordered_json to_json(const Error& error) {
  return {{"code", name(error.code)}, {"message", error.message}};
}

int fail(const std::string& what, int exit_code) {
  std::cerr << "xray: " << printable(what) << '\n';
  return exit_code;
}

void add_model_options(CLI::App& command, ModelChoice& model) {
  command.add_option("--model", model.folder, "Model package (default: $XRAY_MODEL, else the one shipped)")
      ->type_name("FOLDER");
  const std::map<std::string, Precision> precisions = {{name(Precision::kFp32), Precision::kFp32},
                                                       {name(Precision::kInt8), Precision::kInt8}};
  command
      .add_option_function<std::string>(
          "--precision",
          [precisions, &model](const std::string& wanted) { model.precision = precisions.at(wanted); },
          "Network of the package: fp32 or int8 (default: int8 where there is one)")
      ->check(CLI::IsMember({name(Precision::kFp32), name(Precision::kInt8)}));
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

Result<std::unique_ptr<Diagnoser>> open_diagnoser(const ModelChoice& model, const DecodeLimits& limits,
                                                  BackendOptions options) {
  const auto package = model.folder.empty() ? default_package() : std::filesystem::path(model.folder);
  if (!package) return package.error();
  options.precision = model.precision;
  options.cache = cache_folder();
  auto diagnoser = make_diagnoser(*package, limits, options);
  if (!diagnoser) return with_context(diagnoser.error(), package->string());
  return diagnoser;
}

}  // namespace xray
