#include "cli/serve_models.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "common/text.h"

namespace xray {

void add_serve_models(CLI::App& command, ServeModels& models) {
  add_model_options(command, models.model);
  CLI::Option* const folder =
      command
          .add_option("--model-dir", models.folder,
                      "Folder of model packages, one or two folders deep, instead of one model; new, changed "
                      "and removed ones are noticed (docs/models.md)")
          ->type_name("FOLDER")
          ->excludes("--model");
  command
      .add_option("--primary", models.primary,
                  "Name of the model that answers, where there are several in --model-dir")
      ->type_name("NAME")
      ->needs(folder);
  command
      .add_option("--canary-share", models.canary_share,
                  "Per cent of the findings that the version labelled canary answers (default: 0)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 100.0))
      ->needs(folder);
  CLI::Option* const shadow =
      command
          .add_option("--shadow", models.shadow,
                      "Version that is asked too, in the background, to be compared with what answers "
                      "(without a version: the newest)")
          ->type_name("NAME[:VERSION|:LABEL]")
          ->needs(folder);
  command
      .add_option("--shadow-share", models.shadow_share,
                  "Per cent of the pictures that --shadow is asked about (default: 100)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 100.0))
      ->needs(shadow);
}

Result<RunningModels> open_models(const ServeModels& models, const DecodeLimits& limits, int threads) {
  RunningModels running;
  BackendOptions options{.threads = threads};
  if (models.folder.empty()) {
    auto diagnoser = open_diagnoser(models.model, limits, options);
    if (!diagnoser) return diagnoser.error();
    running.set = std::make_unique<ModelSet>(served(std::move(*diagnoser)));
    return running;
  }
  options.precision = models.model.precision;
  running.repository = std::make_unique<ModelRepository>(
      models.folder, models.primary, [limits, options](const std::filesystem::path& package) {
        return load_and_try(package, limits, options);
      });
  auto catalogue = running.repository->open();
  if (!catalogue) return with_context(catalogue.error(), models.folder);
  running.set = std::make_unique<ModelSet>(std::move(*catalogue));
  running.set->set_canary_share(models.canary_share);
  if (!models.shadow.empty()) {
    auto target = parse_shadow_target(models.shadow);
    if (!target) return with_context(target.error(), "--shadow");
    running.shadow =
        std::make_unique<Shadow>(*running.set, std::move(*target),
                                 ShadowOptions{.share = models.shadow_share, .max_busy = threads / 2});
    running.set->add_observer(*running.shadow);
    if (const auto asked = running.shadow->asked(); !asked)
      spdlog::warn("--shadow waits for {}: {}", printable(models.shadow), printable(asked.error().message));
  }
  running.watcher = std::make_unique<ModelWatcher>(*running.repository, *running.set);
  return running;
}

}  // namespace xray
