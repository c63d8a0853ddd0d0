#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/file_source.h"
#include "cli/options.h"
#include "common/file.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/text.h"
#include "diagnose/diagnoser.h"
#include "image/decode.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Overlays are for looking at: their shorter side needs no more than this.
constexpr int kOverlaySide = 1024;

struct PredictOptions {
  std::vector<std::string> files;
  bool json = false;
  std::string heatmap_folder;
  ModelChoice model;
  int threads = 0;
  DecodeLimits limits;
};

/// What became of one file.
struct Row {
  fs::path file;
  Result<Finding> finding;
  Bytes overlay;          ///< PNG; empty unless asked for
  std::string heatmap{};  ///< the file it was written to, if it was
};

std::string describe(const Row& row) {
  Json json = {{"file", row.file.string()}};
  if (row.finding.ok()) {
    json.update(to_json(*row.finding));
    if (!row.heatmap.empty()) json["heatmap"] = row.heatmap;
  } else {
    json["error"] = to_json(row.finding.error());
  }
  // File names are bytes; what is not UTF-8 must not cost the line.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr const char* kTableRow = "{:<9}  {:>9}  {:>7}  {:<14}  {:<14}  {:>6}  {}";

std::string table_head() {
  return fmt::format(kTableRow, "verdict", "pneumonia", "normal", "subtype", "severity", "ms", "file");
}

std::string table_row(const Row& row) {
  const std::string file = printable(row.file.string());
  if (!row.finding.ok())
    return fmt::format(kTableRow, "error", "-", "-", "-", "-", "-",
                       file + ": " + printable(row.finding.error().message));
  const Finding& finding = *row.finding;
  const std::string why = finding.reasons.empty() ? "" : ": " + describe_reasons(finding);
  if (finding.is_rejected())
    return fmt::format(kTableRow, name(finding.verdict), "-", "-", "-", "-",
                       fmt::format("{:.1f}", finding.timing.total), file + why);
  std::string subtype = "-";
  if (finding.has_subtype() && finding.verdict == Verdict::kPneumonia) {
    subtype = finding.bacterial >= finding.viral ? fmt::format("bacterial {:.0f} %", finding.bacterial)
                                                 : fmt::format("viral {:.0f} %", finding.viral);
  }
  const std::string severity =
      finding.severity && finding.verdict == Verdict::kPneumonia
          ? fmt::format("{} {:.1f}/18", name(finding.severity->grade()), finding.severity->score)
          : "-";
  return fmt::format(kTableRow, name(finding.verdict), fmt::format("{:.1f} %", finding.pneumonia),
                     fmt::format("{:.1f} %", finding.normal), subtype, severity,
                     fmt::format("{:.1f}", finding.timing.total), file + why);
}

Result<Bytes> draw_overlay(std::span<const std::byte> bytes, const HeatMap& heat,
                           const DecodeLimits& limits) {
  const auto picture = decode_image(bytes, limits, {kOverlaySide, kOverlaySide});
  if (!picture) return picture.error();
  return render_overlay(*picture, heat);
}

/// Reads and judges one file; whatever happens on the way is its row and nobody else's.
Row judge(const FileItem& item, const Diagnoser& diagnoser, bool with_overlay) {
  const auto failed = [&](Error error) { return Row{item.path, std::move(error), {}}; };
  if (item.error) return failed(*item.error);
  try {
    const auto bytes = read_file(item.path, diagnoser.limits().max_bytes);
    if (!bytes) return failed(bytes.error());
    auto finding = diagnoser.diagnose(*bytes);
    if (!finding) return failed(finding.error());
    Row row{item.path, std::move(finding), {}};
    if (with_overlay && !row.finding->heat.empty()) {
      auto overlay = draw_overlay(*bytes, row.finding->heat, diagnoser.limits());
      if (!overlay) return failed(overlay.error());
      row.overlay = std::move(*overlay);
    }
    return row;
  } catch (const std::exception& failure) {
    return failed({ErrorCode::kInternal, failure.what()});
  }
}

/// Gives each overlay a file of its own: films of several patients are often called alike.
class OverlayFolder {
 public:
  explicit OverlayFolder(fs::path folder) : folder_(std::move(folder)) {}

  void write(Row& row) {
    const std::string stem = row.file.stem().string();
    std::string name = stem;
    for (int copy = 2; !taken_.insert(name).second; ++copy) name = stem + "-" + std::to_string(copy);
    const fs::path path = folder_ / (name + ".heatmap.png");
    if (auto written = write_file(path, row.overlay); !written) {
      row.finding = with_context(written.error(), path.string());
    } else {
      row.heatmap = path.string();
    }
  }

 private:
  fs::path folder_;
  std::set<std::string> taken_;
};

/// How many files there will be, for the time left; 0 where that is not known yet or
/// nobody looks. A second walk over the names costs little beside reading the pictures.
std::size_t count_for_progress(const std::vector<std::string>& arguments) {
  const bool names_come_in = std::find(arguments.begin(), arguments.end(), "-") != arguments.end();
  if (names_come_in || ::isatty(STDERR_FILENO) != 1) return 0;
  FileSource source(arguments, std::cin);
  std::size_t count = 0;
  while (source.next()) ++count;
  return count;
}

int predict(const PredictOptions& options) {
  const auto diagnoser = open_diagnoser(options.model, options.limits, {.threads = options.threads});
  if (!diagnoser) return fail(diagnoser.error().message);

  std::optional<OverlayFolder> overlays;
  if (!options.heatmap_folder.empty()) {
    std::error_code failure;
    fs::create_directories(options.heatmap_folder, failure);
    if (failure) return fail(options.heatmap_folder + ": cannot be made: " + failure.message());
    overlays.emplace(options.heatmap_folder);
  }

  Progress progress("reading", count_for_progress(options.files));
  FileSource source(options.files, std::cin);
  std::stop_source stop;
  int write_error = 0;
  const auto print = [&](const std::string& line) {
    if (std::fputs((line + "\n").c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return;
    write_error = errno;
    stop.request_stop();
  };
  const auto begin = std::chrono::steady_clock::now();
  std::map<Verdict, std::size_t> verdicts;
  std::size_t failed = 0;

  const auto produce = [&](std::size_t index) -> std::optional<Row> {
    const auto item = source.at(index);
    if (!item) return std::nullopt;
    return judge(*item, **diagnoser, overlays.has_value());
  };
  const auto consume = [&](std::size_t, std::optional<Row> row) {
    if (!row) {
      stop.request_stop();
      return;
    }
    if (overlays && !row->overlay.empty()) overlays->write(*row);
    if (row->finding.ok()) {
      ++verdicts[row->finding->verdict];
    } else {
      ++failed;
    }
    progress.clear();
    print(options.json ? describe(*row) : table_row(*row));
    progress.advance();
  };
  if (!options.json) print(table_head());
  // How many there are is known only when the names end, so the count has no bound
  // and the end is a request to stop.
  const std::size_t window = 4 * thread_count(options.threads);
  parallel_ordered(std::numeric_limits<std::size_t>::max(), options.threads, window, produce, consume,
                   stop.get_token());

  progress.clear();
  // A reader that has seen enough (`| head`) is no news to anybody.
  if (write_error == EPIPE) return kExitSomeFailed;
  if (write_error != 0) return fail(std::string("standard output: ") + std::strerror(write_error));
  std::size_t read = 0;
  std::string counts;
  for (const Verdict verdict :
       {Verdict::kPneumonia, Verdict::kNormal, Verdict::kUncertain, Verdict::kRejected}) {
    read += verdicts[verdict];
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", verdicts[verdict], name(verdict));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::cerr << fmt::format("{} read ({}), {} not; {:.1f} s, {:.1f} per second\n", read, counts, failed,
                           seconds, static_cast<double>(read + failed) / seconds);
  return failed == 0 ? kExitOk : kExitSomeFailed;
}

}  // namespace

void add_predict(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "Read pictures and say normal or pneumonia");
  command->footer(
      "Prints a table, or with --json one object per line, in the order given. A picture that\n"
      "cannot be read gets a line that says why and never stops the rest.\n"
      "\n"
      "Examples:\n"
      "  xray predict film.jpeg other.png\n"
      "  xray predict --json --heatmap maps/ films/ > findings.jsonl\n"
      "  find /archive -name '*.jpg' | xray predict -\n"
      "\n"
      "Exit code: 0 all were read, 1 some were not, 2 wrong usage.");
  command
      ->add_option("FILES", options->files,
                   "Pictures (JPEG, PNG), folders of them at any depth, or - for a list of names, one per "
                   "line, on standard input")
      ->type_name("")
      ->required();
  command->add_flag("--json", options->json, "One JSON object per picture and line");
  command
      ->add_option("--heatmap", options->heatmap_folder,
                   "Write each picture with its heat map into this folder, as NAME.heatmap.png")
      ->type_name("FOLDER");
  add_model_options(*command, options->model);
  command->add_option("--threads", options->threads, "Threads (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  add_limit_options(*command, options->limits);
  command->callback([options, &exit_code] { exit_code = predict(*options); });
}

}  // namespace xray
