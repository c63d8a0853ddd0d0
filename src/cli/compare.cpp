#include <spdlog/fmt/fmt.h>

#include <iostream>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "common/file.h"
#include "common/text.h"
#include "diagnose/comparison.h"
#include "diagnose/diagnoser.h"

namespace xray {
namespace {

struct CompareOptions {
  std::string before;
  std::string after;
  bool json = false;
  ModelChoice model;
  DecodeLimits limits;
};

std::string table_row(std::string_view title, const Change& change, const char* unit) {
  return fmt::format("{:<16}{:>9.1f}{:>9.1f}{:>+9.1f}{:>9.1f}  {}{}\n", title, change.before, change.after,
                     change.difference() + 0.0, change.margin, unit,
                     change.beyond_noise() ? "  beyond noise" : "");
}

std::string to_table(const Comparison& comparison) {
  std::string text = fmt::format("{}\n\n{:<16}{:>9}{:>9}{:>9}{:>9}\n", name(comparison.course()), "",
                                 "before", "after", "change", "noise");
  text += table_row("lungs opaque", comparison.extent, "%");
  text += table_row("score", comparison.score, "of 18");
  for (std::size_t zone = 0; zone < kZones; ++zone)
    text +=
        table_row(fmt::format("{} {}", kZoneNames[zone], zone_place(zone)), comparison.zones[zone], "of 3 ");
  return text;
}

int run_compare(const CompareOptions& options) {
  const auto diagnoser = open_diagnoser(options.model, options.limits, {.low_latency = true});
  if (!diagnoser) return fail(diagnoser.error().message);
  const auto read = [&](const std::string& path) -> Result<Finding> {
    const auto bytes = read_file(path, options.limits.max_bytes);
    if (!bytes) return with_context(bytes.error(), path);
    auto finding = (*diagnoser)->diagnose(*bytes);
    if (!finding) return with_context(finding.error(), path);
    if (finding->is_rejected())
      return Error{ErrorCode::kUnusable, path + ": rejected: " + describe_reasons(*finding)};
    return finding;
  };
  const auto before = read(options.before);
  if (!before) return fail(printable(before.error().message));
  const auto after = read(options.after);
  if (!after) return fail(printable(after.error().message));
  const auto comparison = compare(*before, *after);
  if (!comparison) return fail(comparison.error().message);
  if (!options.json) {
    std::cout << to_table(*comparison);
    return kExitOk;
  }
  nlohmann::ordered_json json = {{"before", options.before}, {"after", options.after}};
  json.update(to_json(*comparison));
  json["model"] = before->model;
  std::cout << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  return kExitOk;
}

}  // namespace

void add_compare(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = app.add_subcommand("compare", "Tell what changed between two films of one patient");
  command->footer(
      "Both films are read; how much of the lungs is opaque, the score (0 to 18) and that of each\n"
      "zone (0 to 3) are set side by side. \"noise\" is what two exposures of one chest differ by at\n"
      "most, nine times in ten: a change below it may be none.\n"
      "\n"
      "Examples:\n"
      "  xray compare monday.jpeg friday.jpeg\n"
      "  xray compare --json monday.jpeg friday.jpeg\n"
      "\n"
      "Exit code: 0 compared, 1 a film could not be read or tells no severity, 2 wrong usage.");
  command->add_option("before", options->before, "The earlier film")->required()->type_name("FILE");
  command->add_option("after", options->after, "The later film")->required()->type_name("FILE");
  command->add_flag("--json", options->json, "One JSON object");
  add_model_options(*command, options->model);
  add_limit_options(*command, options->limits);
  command->callback([options, &exit_code] { exit_code = run_compare(*options); });
}

}  // namespace xray
