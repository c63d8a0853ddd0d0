#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/file_source.h"
#include "cli/options.h"
#include "cli/predict_row.h"
#include "cli/result_file.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "diagnose/diagnoser.h"
#include "image/decode.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Overlays are for looking at: their shorter side needs no more than this.
constexpr int kOverlaySide = 1024;

/// Pictures being read or waiting for a core, for each core: storage over a network takes longer to
/// answer than a core to judge. Each may take DecodeLimits::max_bytes.
constexpr int kReadersPerThread = 4;
/// Pictures begun and not yet printed, for each core: a slow one holds the others up no sooner.
constexpr std::size_t kWindow = 2 * kReadersPerThread;
/// As --threads has it.
constexpr int kMostThreads = 1024;

struct PredictOptions {
  std::vector<std::string> files;
  std::vector<std::string> lists;  ///< --files-from
  bool null_separated = false;
  bool json = false;
  bool csv = false;
  std::string output;
  bool resume = false;
  bool retry_errors = false;
  bool mix_models = false;
  std::string heatmap_folder;
  ModelChoice model;
  int threads = 0;
  DecodeLimits limits;
};

/// As asked for, else by the ending of the file to be written.
RowFormat format_of(const PredictOptions& options) {
  if (options.json) return RowFormat::kJson;
  if (options.csv) return RowFormat::kCsv;
  const fs::path ending = fs::path(options.output).extension();
  if (ending == ".csv") return RowFormat::kCsv;
  if (ending == ".jsonl" || ending == ".ndjson" || ending == ".json") return RowFormat::kJson;
  return RowFormat::kTable;
}

/// What was named, in the order of the command line, lists last. Failures name the list.
Result<std::vector<SourceArgument>> open_arguments(const PredictOptions& options,
                                                   const std::stop_token& stop) {
  std::vector<SourceArgument> arguments;
  const auto separator = options.null_separated ? NameSeparator::kNull : NameSeparator::kLine;
  const auto open_list = [&](const std::string& name) -> Result<Done> {
    auto list = NameReader::open(name, separator, stop);
    if (!list) return with_context(list.error(), name);
    arguments.push_back({name, std::make_unique<NameReader>(std::move(*list))});
    return Done{};
  };
  for (const std::string& name : options.files) {
    if (name != "-") {
      arguments.push_back({name});
    } else if (const auto opened = open_list(name); !opened) {
      return opened.error();
    }
  }
  for (const std::string& name : options.lists)
    if (const auto opened = open_list(name); !opened) return opened.error();
  return arguments;
}

Result<Bytes> draw_overlay(std::span<const std::byte> bytes, const HeatMap& heat,
                           const DecodeLimits& limits) {
  const auto picture = decode_image(bytes, limits, {kOverlaySide, kOverlaySide});
  if (!picture) return picture.error();
  return render_overlay(*picture, heat);
}

/// As many at once as there are cores.
using Cores = std::counting_semaphore<kMostThreads>;

class Core {
 public:
  explicit Core(Cores& cores) : cores_(cores) { cores_.acquire(); }
  ~Core() { cores_.release(); }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

 private:
  Cores& cores_;
};

/// Reads one file, and judges it once a core is free; whatever happens on the way is its row and
/// nobody else's.
PredictRow judge(FileItem item, const Diagnoser& diagnoser, Cores& cores, bool with_overlay) {
  const auto failed = [&](Error error) { return PredictRow{item.path, std::move(error)}; };
  if (item.error) return failed(*item.error);
  try {
    const auto bytes = item.content ? Result<Bytes>(*std::move(item.content))
                                    : read_file(item.path, diagnoser.limits().max_bytes);
    if (!bytes) return failed(bytes.error());
    const Core core(cores);
    auto finding = diagnoser.diagnose(*bytes);
    if (!finding) return failed(finding.error());
    PredictRow row{item.path, std::move(finding)};
    if (with_overlay && row.finding->heat.empty()) {
      auto heat = diagnoser.heat_for(*row.finding, *bytes);
      if (!heat) return failed(heat.error());
      row.finding->heat = std::move(*heat);
    }
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

  /// `overlay` was written by an earlier run and is to stay.
  void keep(const fs::path& overlay) { taken_.insert(overlay.filename().string()); }

  void write(PredictRow& row) {
    const fs::path path = folder_ / free_name(row.file.stem().string());
    if (auto written = write_file(path, row.overlay); !written) {
      row.finding = with_context(written.error(), path.string());
    } else {
      row.heatmap = path.string();
    }
  }

 private:
  std::string free_name(const std::string& stem) {
    for (int& copy = copies_[stem];;) {
      ++copy;
      std::string name = stem + (copy == 1 ? "" : "-" + std::to_string(copy)) + ".heatmap.png";
      if (taken_.insert(name).second) return name;
    }
  }

  fs::path folder_;
  std::set<std::string> taken_;
  std::map<std::string, int> copies_;
};

/// How many files there will be, for the time left; 0 where that is not known or
/// nobody looks. A second walk over the names costs little beside reading the pictures.
std::size_t count_for_progress(const PredictOptions& options, const FileSourceOptions& source) {
  std::error_code failure;
  const auto is_stream = [&](const std::string& list) { return !fs::is_regular_file(list, failure); };
  if (::isatty(STDERR_FILENO) != 1 || std::ranges::find(options.files, "-") != options.files.end() ||
      std::ranges::any_of(options.lists, is_stream))
    return 0;
  auto arguments = open_arguments(options, source.stop);
  if (!arguments) return 0;
  return FileSource::count(std::move(*arguments), source).value_or(0);
}

/// What the rows add up to.
class Tally {
 public:
  void add(const PredictRow& row) {
    if (row.finding.ok()) {
      ++verdicts_[row.finding->verdict];
    } else {
      ++failed_;
    }
  }
  std::size_t failed() const { return failed_; }

  std::string summary() const {
    std::size_t read = 0;
    std::string counts;
    for (const Verdict verdict :
         {Verdict::kPneumonia, Verdict::kNormal, Verdict::kUncertain, Verdict::kRejected}) {
      const auto found = verdicts_.find(verdict);
      const std::size_t count = found == verdicts_.end() ? 0 : found->second;
      read += count;
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, name(verdict));
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    return fmt::format("{} read ({}), {} not; {:.1f} s, {:.1f} per second", read, counts, failed_, seconds,
                       static_cast<double>(read + failed_) / seconds);
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
  std::map<Verdict, std::size_t> verdicts_;
  std::size_t failed_ = 0;
};

/// Where the rows go, and what stands there already.
struct Output {
  ResultFile file;
  EarlierResults earlier;
};

/// Failures name the file.
Result<Output> open_output(const PredictOptions& options, const std::string& model) {
  const RowFormat format = format_of(options);
  auto output = [&]() -> Result<Output> {
    if (options.resume) {
      auto resumed = ResultFile::resume(options.output, {.format = format,
                                                         .model = model,
                                                         .mix_models = options.mix_models,
                                                         .retry_failed = options.retry_errors});
      if (!resumed) return resumed.error();
      return Output{std::move(resumed->first), std::move(resumed->second)};
    }
    auto file = options.output.empty() ? ResultFile::standard_output() : ResultFile::create(options.output);
    if (!file) return file.error();
    return Output{std::move(*file), {}};
  }();
  if (!output)
    return with_context(output.error(), options.output.empty() ? "standard output" : options.output);
  return output;
}

/// What the command line asks for and makes no sense; empty where it does.
std::string nonsense(const PredictOptions& options) {
  if (options.files.empty() && options.lists.empty())
    return "name pictures, folders or archives to read, or - or --files-from for a list of them";
  if (options.resume && options.output.empty()) return "--resume goes with --output FILE";
  if (options.resume && format_of(options) == RowFormat::kTable)
    return "--resume goes with --json or --csv: a table is for looking at";
  return "";
}

int predict(const PredictOptions& options) {
  if (const std::string problem = nonsense(options); !problem.empty()) return fail(problem, kExitUsage);
  // Before any thread is started, as that of the inference library.
  const std::stop_token interrupt = stop_on_interrupt();
  std::stop_source stop;
  const std::stop_callback pass_on(interrupt, [&] { stop.request_stop(); });

  auto arguments = open_arguments(options, stop.get_token());
  if (!arguments) return fail(arguments.error().message);
  const auto diagnoser = open_diagnoser(options.model, options.limits, {.threads = options.threads});
  if (!diagnoser) return fail(diagnoser.error().message);

  std::optional<OverlayFolder> overlays;
  if (!options.heatmap_folder.empty()) {
    std::error_code failure;
    fs::create_directories(options.heatmap_folder, failure);
    if (failure) return fail(options.heatmap_folder + ": cannot be made: " + failure.message());
    overlays.emplace(options.heatmap_folder);
  }
  auto output = open_output(options, (*diagnoser)->card().id());
  if (!output) return fail(output.error().message);
  EarlierResults& earlier = output->earlier;
  const std::size_t done_before = earlier.files.size();
  if (overlays)
    for (const std::string& overlay : earlier.heatmaps) overlays->keep(overlay);

  const RowFormat format = format_of(options);
  FileSourceOptions source_options{.stop = stop.get_token()};
  source_options.archive.max_entry_bytes = options.limits.max_bytes;
  const std::size_t named = count_for_progress(options, source_options);
  Progress progress("reading", named - std::min(named, done_before));
  if (done_before > 0)
    source_options.done = [&](const fs::path& file) {
      return earlier.files.take(written_name(file, format));
    };
  FileSource source(std::move(*arguments), std::move(source_options));

  // A row and the progress would share the terminal's line.
  const bool shares_terminal = options.output.empty() && ::isatty(STDOUT_FILENO) == 1;
  std::optional<Error> write_error;
  const auto print = [&](const std::string& line) {
    if (write_error || line.empty()) return;
    if (const auto written = output->file.append(line); !written) {
      write_error = written.error();
      stop.request_stop();
    }
  };
  Tally tally;
  const int threads = static_cast<int>(std::min<std::size_t>(thread_count(options.threads), kMostThreads));
  Cores cores(threads);
  const auto produce = [&](std::size_t index) -> std::optional<PredictRow> {
    auto item = source.at(index);
    if (!item) return std::nullopt;
    return judge(std::move(*item), **diagnoser, cores, overlays.has_value());
  };
  const auto consume = [&](std::size_t, std::optional<PredictRow> row) {
    if (!row) {
      stop.request_stop();
      return;
    }
    if (overlays && !row->overlay.empty()) overlays->write(*row);
    if (shares_terminal) progress.clear();
    print(row_line(*row, format));
    if (!write_error) tally.add(*row);
    progress.advance();
  };
  if (output->file.is_empty()) print(head_line(format));
  // How many there are is known only when the names end, so the count has no bound
  // and the end is a request to stop.
  parallel_ordered(std::numeric_limits<std::size_t>::max(), kReadersPerThread * threads,
                   kWindow * static_cast<std::size_t>(threads), produce, consume, stop.get_token());
  progress.clear();
  if (!write_error)
    if (const auto finished = output->file.finish(); !finished) write_error = finished.error();

  const bool can_resume = !options.output.empty() && format != RowFormat::kTable;
  const std::string how_on = can_resume ? "; the same command with --resume goes on from here" : "";
  // A reader that has seen enough (`| head`) is no news to anybody.
  if (write_error && write_error->code == ErrorCode::kCancelled) return kExitSomeFailed;
  if (write_error)
    return fail((options.output.empty() ? "standard output" : options.output) + ": " + write_error->message +
                how_on);
  std::cerr << tally.summary();
  if (done_before > 0)
    std::cerr << fmt::format(
        "; {} before{}", done_before,
        earlier.failed == 0
            ? ""
            : fmt::format(" ({} of them not read; --retry-errors tries again)", earlier.failed));
  std::cerr << '\n';
  if (interrupt.stop_requested()) return fail("stopped" + how_on, kExitInterrupted);
  return tally.failed() + earlier.failed == 0 ? kExitOk : kExitSomeFailed;
}

}  // namespace

void add_predict(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "Read pictures and say normal or pneumonia");
  command->footer(
      "Prints a table, or with --json or --csv one line a picture, in the order given. A picture that\n"
      "cannot be read gets a line that says why and never stops the rest.\n"
      "\n"
      "Archives (.tar, .tar.gz, .tar.xz, .tar.zst, .tar.bz2, .zip) are read without unpacking them to\n"
      "disk; a picture in one is called ARCHIVE:NAME. Those that lie in folders or in other archives\n"
      "are not entered.\n"
      "\n"
      "Examples:\n"
      "  xray predict film.jpeg other.png\n"
      "  xray predict --json --heatmap maps/ films/ > findings.jsonl\n"
      "  xray predict --output findings.csv films/ january.tar.gz february.zip\n"
      "  xray predict --output findings.csv --resume films/ january.tar.gz february.zip\n"
      "  find /archive -name '*.jpg' | xray predict -\n"
      "  find /archive -name '*.jpg' -print0 > names; xray predict -0 --files-from names\n"
      "\n"
      "The fourth goes on where the third was stopped, by Ctrl-C or by a power cut; it may be used from\n"
      "the beginning.\n"
      "\n"
      "Exit code: 0 all were read, 1 some were not, 2 wrong usage, 130 interrupted.");
  command
      ->add_option(
          "FILES", options->files,
          "Pictures (JPEG, PNG), folders of them at any depth, archives, or - for a list of names, one "
          "per line, on standard input")
      ->type_name("");
  command
      ->add_option("--files-from", options->lists, "Read also what is named in this file, one name per line")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_flag("-0,--null", options->null_separated,
                    "Names in lists end with a NUL byte, not with the line (find -print0)");
  CLI::Option* const json =
      command->add_flag("--json", options->json, "One JSON object per picture and line");
  command->add_flag("--csv", options->csv, "A table for spreadsheets (comma-separated, with a head)")
      ->excludes(json);
  command
      ->add_option("--output,-o", options->output,
                   "Write into this new file instead of standard output; without --json or --csv, its ending "
                   "(.jsonl, .csv) tells which")
      ->type_name("FILE");
  CLI::Option* const resume = command->add_flag(
      "--resume", options->resume, "Go on with the file of --output: pass over the pictures that are in it");
  command
      ->add_flag("--retry-errors", options->retry_errors,
                 "With --resume: read those again that could not be read; their lines move to the end")
      ->needs(resume);
  command
      ->add_flag("--mix-models", options->mix_models,
                 "With --resume: go on even if the file was written with another model")
      ->needs(resume);
  command
      ->add_option("--heatmap", options->heatmap_folder,
                   "Write each picture with its heat map into this folder, as NAME.heatmap.png")
      ->type_name("FOLDER");
  add_model_options(*command, options->model);
  command->add_option("--threads", options->threads, "Threads (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, kMostThreads));
  add_limit_options(*command, options->limits);
  command->callback([options, &exit_code] { exit_code = predict(*options); });
}

}  // namespace xray
