#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "cli/file_source.h"
#include "cli/options.h"
#include "common/file.h"
#include "common/parallel.h"
#include "diagnose/diagnoser.h"
#include "image/encode.h"
#include "perturb/synthetic_chest.h"
#include "preprocess/preprocess.h"

namespace xray {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

/// Pictures held in memory, so that no disk is measured.
constexpr std::uint64_t kMostBytes = 512ULL << 20U;
/// Drawn where none are given; of the size of a hospital's export.
constexpr int kDrawn = 8;
constexpr int kDrawnWidth = 1280;
constexpr int kDrawnHeight = 1120;

struct BenchOptions {
  std::vector<std::string> files;
  ModelChoice model;
  int threads = 0;
  double seconds = 5;
  bool json = false;
};

Result<std::vector<Bytes>> read_pictures(const std::vector<std::string>& names) {
  std::vector<SourceArgument> arguments;
  arguments.reserve(names.size());
  for (const std::string& name : names) arguments.push_back({name});
  FileSource source(std::move(arguments));
  std::vector<Bytes> pictures;
  std::uint64_t held = 0;
  while (auto item = source.next()) {
    if (item->error) return with_context(*item->error, item->path.string());
    auto bytes =
        item->content ? Result<Bytes>(std::move(*item->content)) : read_file(item->path, kMostBytes - held);
    if (!bytes && bytes.error().code == ErrorCode::kTooLarge && held > 0) break;
    if (!bytes) return with_context(bytes.error(), item->path.string());
    held += bytes->size();
    pictures.push_back(std::move(*bytes));
  }
  if (pictures.empty()) return Error{ErrorCode::kNotFound, "no pictures were named"};
  return pictures;
}

Result<std::vector<Bytes>> draw_pictures() {
  std::vector<Bytes> pictures;
  pictures.reserve(kDrawn);
  for (int i = 0; i < kDrawn; ++i) {
    const Image chest = make_chest(static_cast<std::uint64_t>(i) + 1, i % 2 == 0 ? 0.0 : 0.6);
    auto jpeg = encode_jpeg(to_image(resize(chest, kDrawnWidth, kDrawnHeight)));
    if (!jpeg) return jpeg.error();
    pictures.push_back(std::move(*jpeg));
  }
  return pictures;
}

/// CPU milliseconds of the process so far, user and system.
double cpu_milliseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto milliseconds = [](const timeval& time) {
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_usec);
  };
  return milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
}

/// One loop over the pictures.
struct Measured {
  double seconds = 0;
  double cpu = 0;  ///< milliseconds a picture
  std::vector<Timing> timings;

  double rate() const { return static_cast<double>(timings.size()) / seconds; }

  /// Milliseconds of a stage that a share `share` of the pictures stays below.
  double quantile(double share, const std::function<double(const Timing&)>& stage) const {
    std::vector<double> values;
    std::ranges::transform(timings, std::back_inserter(values), stage);
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, at);
    return *at;
  }
  double total(double share) const {
    return quantile(share, [](const Timing& t) { return t.total; });
  }
};

/// Pictures one after the other in `threads` threads, until `seconds` have passed and each was
/// read once. The first failure ends it.
Result<Measured> measure(const Diagnoser& diagnoser, const std::vector<Bytes>& pictures, std::size_t threads,
                         double seconds) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<Measured> parts(threads);
  std::vector<std::optional<Error>> errors(threads);
  const double cpu = cpu_milliseconds();
  const auto begin = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  const auto work = [&](std::size_t thread) {
    Measured& mine = parts[thread];
    while (!failed) {
      const std::size_t index = next++;
      if (index >= pictures.size() && passed() >= seconds) return;
      const auto finding = diagnoser.diagnose(pictures[index % pictures.size()]);
      if (!finding) {
        errors[thread] = finding.error();
        failed = true;
        return;
      }
      mine.timings.push_back(finding->timing);
    }
  };
  {
    std::vector<std::jthread> crew;
    crew.reserve(threads);
    for (std::size_t thread = 0; thread < threads; ++thread) crew.emplace_back(work, thread);
  }
  Measured all{.seconds = passed(), .cpu = cpu_milliseconds() - cpu, .timings = {}};
  for (const auto& error : errors)
    if (error) return *error;
  for (const Measured& part : parts)
    all.timings.insert(all.timings.end(), part.timings.begin(), part.timings.end());
  all.cpu /= static_cast<double>(all.timings.size());
  return all;
}

/// Median milliseconds of each stage, in the order of a picture's way: other programs' work lengthens a
/// few pictures' stages, and hardly the middle ones.
std::vector<std::pair<std::string, double>> stages(const Measured& measured) {
  const auto median = [&](const auto& stage) { return measured.quantile(0.5, stage); };
  return {{"decode", median([](const Timing& t) { return t.decode; })},
          {"resize_and_crop", median([](const Timing& t) { return t.preprocess; })},
          {"lungs_and_gate", median([](const Timing& t) { return t.lungs; })},
          {"classify", median([](const Timing& t) { return t.classify; })},
          {"severity", median([](const Timing& t) { return t.severity; })},
          {"rest", median([](const Timing& t) { return t.total - t.decode - t.preprocess - t.infer; })}};
}

int bench(const BenchOptions& options) {
  const std::size_t threads = thread_count(options.threads);
  const auto started = Clock::now();
  const auto diagnoser = open_diagnoser(options.model, {}, {.threads = static_cast<int>(threads)});
  if (!diagnoser) return fail(diagnoser.error().message);
  const double start_up = std::chrono::duration<double>(Clock::now() - started).count();
  const auto pictures = options.files.empty() ? draw_pictures() : read_pictures(options.files);
  if (!pictures) return fail(pictures.error().message);
  std::uint64_t bytes = 0;
  for (const Bytes& picture : *pictures) bytes += picture.size();

  // Each once, unmeasured: caches, and errors before anybody has waited.
  const auto warm = measure(**diagnoser, *pictures, threads, 0);
  if (!warm) return fail(warm.error().message);
  std::cerr << fmt::format(
      "{} pictures, {:.0f} KB each; {:.0f} s on one core, then on {}\n", pictures->size(),
      1e-3 * static_cast<double>(bytes) / static_cast<double>(pictures->size()), options.seconds, threads);
  const auto one = measure(**diagnoser, *pictures, 1, options.seconds);
  if (!one) return fail(one.error().message);
  const auto all = measure(**diagnoser, *pictures, threads, options.seconds);
  if (!all) return fail(all.error().message);

  if (options.json) {
    Json json = {
        {"model", (*diagnoser)->card().id()},
        {"pictures", pictures->size()},
        {"mean_bytes", bytes / pictures->size()},
        {"drawn", options.files.empty()},
        {"threads", threads},
        {"start_up_seconds", start_up},
        {"cpu_milliseconds", one->cpu},
        {"stages_milliseconds", Json::object()},
        {"one_core", {{"per_second", one->rate()}, {"p50", one->total(0.5)}, {"p99", one->total(0.99)}}},
        {"limit_per_second", all->rate()},
        {"limit_p50", all->total(0.5)},
        {"limit_p99", all->total(0.99)}};
    for (const auto& [stage, milliseconds] : stages(*one)) json["stages_milliseconds"][stage] = milliseconds;
    std::cout << json.dump(2) << '\n';
    return kExitOk;
  }
  std::cout << fmt::format(
      "{}{}\n\n", (*diagnoser)->card().id(),
      options.files.empty() ? ", on drawn chests: real films take longer to decode" : "");
  std::cout << "where a picture's time goes, one core  median ms\n";
  for (const auto& [stage, milliseconds] : stages(*one))
    std::cout << fmt::format("  {:<37}{:>10.3f}\n", stage, milliseconds);
  std::cout << fmt::format("  {:<37}{:>10.3f}\n", "in all", one->total(0.5));
  std::cout << fmt::format("  {:<37}{:>10.3f}\n\n", "CPU time, in all", one->cpu);
  const auto row = [](const std::string& what, const Measured& m) {
    std::cout << fmt::format("{:<24}{:>9.1f} pictures/s   p50 {:>6.2f} ms   p99 {:>6.2f} ms\n", what,
                             m.rate(), m.total(0.5), m.total(0.99));
  };
  row("one core", *one);
  row(fmt::format("{} threads, the limit", threads), *all);
  std::cout << fmt::format("loading the model       {:>9.2f} s\n", start_up);
  return kExitOk;
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand(
      "bench", "Say where the time goes, and how many pictures a second this machine reads");
  command->footer(
      "Reads the pictures over and over, from memory to finding, without a server: what no server\n"
      "on this machine can exceed.\n"
      "\n"
      "Examples:\n"
      "  xray bench\n"
      "  xray bench --seconds 20 films/\n"
      "\n"
      "Exit code: 0 measured, 1 a picture cannot be read, 2 wrong usage.");
  command->add_option("FILES", options->files, "Pictures, or folders of them (default: drawn chests)")
      ->type_name("");
  command->add_option("--seconds", options->seconds, "How long each of the two loops runs (default: 5)")
      ->type_name("S")
      ->check(CLI::Range(0.1, 3600.0));
  command->add_option("--threads", options->threads, "Threads of the second loop (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--json", options->json, "Figures as JSON");
  add_model_options(*command, options->model);
  command->callback([options, &exit_code] { exit_code = bench(*options); });
}

}  // namespace xray
