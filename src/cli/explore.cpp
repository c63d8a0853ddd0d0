#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/options.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/text.h"
#include "dataset/dataset.h"
#include "dataset/picture_facts.h"
#include "report/exploration.h"
#include "report/label_audit.h"
#include "report/page.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

/// What the page lists (groups of duplicates, likeliest label errors, ...); --json has it all.
constexpr ListLimits kOnPage{.entries = 60, .members = 6};
constexpr std::uint64_t kMaxScoreBytes = 256ULL << 20U;

struct ExploreOptions {
  std::string folder;
  std::string out;
  std::string json;
  std::string scores;
  int threads = 0;
  DecodeLimits limits;
};

std::string summary(const Exploration& exploration, const std::optional<LabelAudit>& audit) {
  std::string text = fmt::format("{} pictures read ({} normal, {} pneumonia), {} not\n",
                                 exploration.readable[0] + exploration.readable[1], exploration.readable[0],
                                 exploration.readable[1], exploration.unreadable.size());
  for (const Notice& notice : notices(exploration))
    text += fmt::format("{} {}\n", notice.weight == Weight::kSerious ? "!!" : " !", notice.text);
  if (audit)
    text += fmt::format("{} of {} scored pictures are likely to bear the wrong label\n", audit->likely,
                        audit->scored);
  return text;
}

Json figures(const Exploration& exploration, const std::optional<LabelAudit>& audit, PictureNames& names,
             const ListLimits& limits) {
  Json json = to_json(exploration, names, limits);
  if (audit) json["audit"] = to_json(*audit, names, limits.entries);
  return json;
}

/// kCancelled where `stop` was requested.
Result<Done> write_report(const ExploreOptions& options, const Exploration& exploration,
                          const std::optional<LabelAudit>& audit, const std::stop_token& stop) {
  PictureNames names(exploration.dataset);
  Json page = begin_page("exploration", exploration.dataset);
  page["exploration"] = figures(exploration, audit, names, kOnPage);
  page["mean_pictures"] = mean_pictures(exploration);
  page["thumbnails"] =
      by_sample(thumbnails(exploration.dataset, names.named(), options.limits, options.threads, stop));
  if (stop.stop_requested()) return Error{ErrorCode::kCancelled, "stopped before the page was written"};
  return write_page(options.out, page);
}

int explore(const ExploreOptions& options) {
  const std::stop_token stop = stop_on_interrupt();
  Result<Dataset> dataset = scan_dataset(options.folder);
  if (!dataset) return fail(options.folder + ": " + dataset.error().message, kExitUsage);
  for (const std::string& warning : dataset->warnings)
    std::cerr << "xray: warning: " << printable(warning) << '\n';
  std::optional<LabelAudit> audit;
  if (!options.scores.empty()) {
    const auto table = read_text(options.scores, kMaxScoreBytes);
    if (!table) return fail(options.scores + ": " + table.error().message, kExitUsage);
    const auto scores = read_scores(*table, *dataset);
    if (!scores) return fail(options.scores + ": " + scores.error().message, kExitUsage);
    audit = audit_labels(*dataset, *scores);
    if (audit->scored == 0) return fail(options.scores + ": names no picture of the folder", kExitUsage);
  }

  const auto begin = std::chrono::steady_clock::now();
  Explorer explorer(std::move(*dataset));
  const std::vector<Sample>& samples = explorer.dataset().samples;
  Progress progress("exploring", samples.size());
  bool complete = parallel_ordered(
      samples.size(), options.threads, 4 * thread_count(options.threads),
      [&](std::size_t i) { return measure_picture(samples[i].path, options.limits); },
      [&](std::size_t, Result<MeasuredPicture> picture) {
        explorer.add(std::move(picture));
        progress.advance();
      },
      stop);
  progress.clear();
  std::optional<Exploration> exploration;
  if (complete) exploration = std::move(explorer).finish(options.threads, stop);
  if (!exploration) return fail("stopped before all pictures were looked at", kExitInterrupted);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  for (const auto& [sample, error] : exploration->unreadable)
    std::cerr << "xray: not read: "
              << printable(exploration->dataset.samples[sample].path.string() + ": " + error.message) << '\n';
  std::cerr << fmt::format("{:.1f} s, {:.1f} per second\n", seconds,
                           static_cast<double>(exploration->facts.size()) / seconds);
  std::cout << summary(*exploration, audit) << std::flush;
  if (!std::cout) return fail("standard output cannot be written");

  if (!options.json.empty()) {
    PictureNames names(exploration->dataset);
    const Json json = figures(*exploration, audit, names, {});
    // File names are bytes; what is not UTF-8 must not cost the report.
    const auto written =
        write_file(options.json, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    if (!written) return fail(options.json + ": " + written.error().message);
  }
  if (!options.out.empty()) {
    const auto written = write_report(options, *exploration, audit, stop);
    if (!written)
      return fail(options.out + ": " + written.error().message,
                  stop.stop_requested() ? kExitInterrupted : kExitSomeFailed);
  }
  return exploration->unreadable.empty() ? kExitOk : kExitSomeFailed;
}

}  // namespace

void add_explore(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ExploreOptions>();
  CLI::App* command = app.add_subcommand("explore", "Show what labelled pictures are like");
  command->footer(
      "Labels come from the nearest folder named NORMAL or PNEUMONIA, at any depth. Says what\n"
      "should be known before the pictures train or measure anything: pictures that are there\n"
      "twice, patients on several sides of a split, labels in doubt, and what tells the classes\n"
      "apart besides disease. --out writes all of it as one page, pictures of patients included.\n"
      "\n"
      "Examples:\n"
      "  xray explore chest_xray --out data.html\n"
      "  xray explore chest_xray/train --scores out-of-fold.csv --out labels.html\n"
      "\n"
      "Exit code: 0 all were read, 1 some were not, 2 wrong usage, 130 interrupted.");
  command->add_option("folder", options->folder, "Folder of labelled pictures")->required();
  command->add_option("--out", options->out, "Write a self-contained page into this HTML file")
      ->type_name("FILE");
  command->add_option("--json", options->json, "Write all figures into this JSON file")->type_name("FILE");
  command
      ->add_option("--scores", options->scores,
                   "CSV table with the columns file (below the folder) and probability (of pneumonia), from "
                   "models that did not see the picture's patient: lists the likeliest label errors")
      ->type_name("FILE");
  command->add_option("--threads", options->threads, "Threads (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  add_limit_options(*command, options->limits);
  command->callback([options, &exit_code] { exit_code = explore(*options); });
}

}  // namespace xray
