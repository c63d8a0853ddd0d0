#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/model_export.h"
#include "cli/model_import.h"
#include "cli/model_pin.h"
#include "cli/options.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/random.h"
#include "common/text.h"
#include "dataset/dataset.h"
#include "diagnose/diagnoser.h"
#include "metrics/metrics.h"
#include "quantize/quantize.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// How far 8 bit may take the quality from that of floats.
constexpr double kMaxAucLoss = 0.001;
constexpr double kMaxAccuracyLoss = 0.002;

struct QuantizeOptions {
  std::string package;
  std::string data;
  std::string out;
  std::size_t pictures = 300;
  std::uint64_t seed = 1;
  int threads = 0;
};

/// One picture as each network of a package takes it.
struct Inputs {
  std::vector<float> network;
  std::vector<float> lungs;     ///< empty where the package has no lung network
  std::vector<float> severity;  ///< empty where it has no severity model
};

/// A package and the severity model in it.
struct Parts {
  ModelPackage package;
  std::optional<SeverityModel> severity;
  fs::path severity_folder() const { return package.directory / kSeverityFolder; }
};

Result<Parts> load_parts(const fs::path& folder) {
  auto package = load_package(folder);
  if (!package) return package.error();
  auto severity = find_severity_model(folder);
  if (!severity) return severity.error();
  return Parts{std::move(*package), std::move(*severity)};
}

Result<Inputs> prepare(const fs::path& path, const Parts& parts, LungFinder* finder) {
  const ModelCard& card = parts.package.card;
  const Preprocessor preprocessor(card.input);
  const auto image = read_image(path, {}, preprocessor.decode_size());
  if (!image) return image.error();
  Inputs inputs{std::vector<float>(preprocessor.input_size()), {}, {}};
  if (!card.lungs) {
    if (auto prepared = preprocessor(*image, inputs.network); !prepared) return prepared.error();
    return inputs;
  }
  const auto film = standard_film(*image);
  if (!film) return film.error();
  const auto field = finder->find(*film);
  if (!field) return field.error();
  if (auto prepared = preprocessor(*film, *field, inputs.network); !prepared) return prepared.error();
  const Preprocessor lungs(card.lungs->input);
  inputs.lungs.resize(lungs.input_size());
  if (auto prepared = lungs(*film, inputs.lungs); !prepared) return prepared.error();
  if (parts.severity) {
    const Preprocessor severity(parts.severity->input);
    inputs.severity.resize(severity.input_size());
    if (auto prepared = severity(*film, *field, inputs.severity); !prepared) return prepared.error();
  }
  return inputs;
}

/// Samples that cannot be read are left out with a word on standard error.
Result<std::vector<Inputs>> read_inputs(const std::vector<Sample>& samples, const Parts& parts, int threads,
                                        const std::stop_token& stop) {
  const ModelPackage& package = parts.package;
  std::unique_ptr<LungFinder> finder;
  if (package.card.lungs) {
    auto made = make_lung_finder(package.directory, *package.card.lungs,
                                 {.threads = threads, .precision = Precision::kFp32});
    if (!made) return made.error();
    finder = std::move(*made);
  }
  std::vector<Inputs> read;
  Progress progress("reading", samples.size());
  const auto produce = [&](std::size_t i) { return prepare(samples[i].path, parts, finder.get()); };
  const auto consume = [&](std::size_t i, Result<Inputs> inputs) {
    progress.advance();
    if (!inputs) {
      progress.clear();
      fail("left out: " + samples[i].path.string() + ": " + inputs.error().message);
      return;
    }
    read.push_back(std::move(*inputs));
  };
  if (!parallel_ordered(samples.size(), threads, 4 * thread_count(threads), produce, consume, stop))
    return Error{ErrorCode::kCancelled, "stopped while reading pictures"};
  return read;
}

/// 8 bit against floats on pictures that calibration has not seen, nor training unless the
/// model was trained on all films.
struct Comparison {
  bool trained_on = false;
  std::size_t pictures = 0;
  Metrics fp32;
  Metrics int8;
  double mean_change = 0;  ///< of the probability
  double largest_change = 0;
  std::size_t other_verdicts = 0;
  double fp32_milliseconds = 0;
  double int8_milliseconds = 0;

  bool keeps_quality() const {
    // With one class alone there is no AUC, and a comparison with NaN is false.
    return !(fp32.auc.value - int8.auc.value > kMaxAucLoss) &&
           fp32.accuracy.value - int8.accuracy.value <= kMaxAccuracyLoss;
  }
};

/// Reads the same pictures with both, from pixels to verdict; the fastest time of each counts.
Result<Comparison> compare(const fs::path& folder, const std::vector<Sample>& samples,
                           const std::stop_token& stop) {
  const auto open = [&](Precision precision) {
    return make_diagnoser(folder, {}, {.threads = 1, .low_latency = true, .precision = precision});
  };
  const auto fp32 = open(Precision::kFp32);
  if (!fp32) return fp32.error();
  const auto int8 = open(Precision::kInt8);
  if (!int8) return int8.error();
  const ModelCard& card = (*fp32)->card();
  const DecodeSize size = Preprocessor(card.input).decode_size();
  constexpr double kNever = std::numeric_limits<double>::infinity();
  Comparison result{.fp32_milliseconds = kNever, .int8_milliseconds = kNever};
  std::vector<ScoredCase> before;
  std::vector<ScoredCase> after;
  Progress progress("comparing", samples.size());
  for (const Sample& sample : samples) {
    if (stop.stop_requested()) return Error{ErrorCode::kCancelled, "stopped while comparing"};
    progress.advance();
    const auto image = read_image(sample.path, (*fp32)->limits(), size);
    if (!image) continue;  // said of the training pictures; here it only makes the comparison smaller
    // In turns, so that both are timed under the same load.
    const auto exact = (*fp32)->diagnose(*image);
    const auto fast = (*int8)->diagnose(*image);
    if (!exact || !fast || exact->is_rejected() || fast->is_rejected()) continue;
    const bool ill = sample.label == Label::kPneumonia;
    before.push_back({ill, exact->pneumonia / 100});
    after.push_back({ill, fast->pneumonia / 100});
    const double change = std::abs(fast->pneumonia - exact->pneumonia) / 100;
    result.mean_change += change;
    result.largest_change = std::max(result.largest_change, change);
    result.other_verdicts += exact->verdict != fast->verdict ? 1 : 0;
    result.fp32_milliseconds = std::min(result.fp32_milliseconds, exact->timing.total);
    result.int8_milliseconds = std::min(result.int8_milliseconds, fast->timing.total);
  }
  if (before.empty()) return Error{ErrorCode::kInvalidArgument, "no picture held out can be read"};
  result.pictures = before.size();
  result.mean_change /= static_cast<double>(before.size());
  result.fp32 = measure(before, card.threshold);
  result.int8 = measure(after, card.threshold);
  return result;
}

std::string to_table(const Comparison& c) {
  std::string text = fmt::format(
      "{:<28}{:>10}{:>10}\n",
      fmt::format("on {} {} pictures", c.pictures, c.trained_on ? "training" : "held-out"), "fp32", "int8");
  text += fmt::format("{:<28}{:>10.4f}{:>10.4f}\n", "AUC", c.fp32.auc.value, c.int8.auc.value);
  text += fmt::format("{:<28}{:>8.1f} %{:>8.1f} %\n", "accuracy", 100 * c.fp32.accuracy.value,
                      100 * c.int8.accuracy.value);
  text += fmt::format("{:<28}{:>10.2f}{:>10.2f}\n", "ms a picture, one core", c.fp32_milliseconds,
                      c.int8_milliseconds);
  text +=
      fmt::format("{} verdicts differ; the percentage moves by {:.2f} points on average, at most {:.1f}\n",
                  c.other_verdicts, 100 * c.mean_change, 100 * c.largest_change);
  return text;
}

/// Without times, which are this machine's.
Json to_json(const Comparison& c) {
  return {{"pictures", c.pictures},
          {"trained_on", c.trained_on},
          {"auc", {{"fp32", c.fp32.auc.value}, {"int8", c.int8.auc.value}}},
          {"accuracy", {{"fp32", c.fp32.accuracy.value}, {"int8", c.int8.accuracy.value}}},
          {"mean_change", c.mean_change},
          {"largest_change", c.largest_change},
          {"other_verdicts", c.other_verdicts}};
}

/// The split that the model was trained with, as its card has it.
std::uint64_t split_seed(const ModelCard& card) {
  const Json seed = Json(card.about).value(Json::json_pointer("/data/split_seed"), Json(1));
  return seed.is_number_unsigned() ? seed.get<std::uint64_t>() : 1;
}

/// Whether the model's own split kept films from training; without one, by cross-validation, none were.
bool held_films_out(const ModelCard& card) {
  const Json::json_pointer split("/data/split");
  const Json about(card.about);
  return !about.contains(split) || about[split].contains("validation");
}

std::vector<Sample> side(const Dataset& dataset, const std::vector<Split>& splits, Split wanted) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < splits.size(); ++i)
    if (splits[i] == wanted) samples.push_back(dataset.samples[i]);
  return samples;
}

Result<Comparison> quantize(const QuantizeOptions& options, const std::stop_token& stop) {
  auto parts = load_parts(options.package);
  if (!parts) return with_context(parts.error(), options.package);
  ModelPackage* const package = &parts->package;
  if (package->card.network.weights)
    return Error{ErrorCode::kUnsupported,
                 options.package +
                     ": this network was imported and is kept as OpenVINO IR; 8 bit is made "
                     "from networks in ONNX alone"};
  const auto dataset = scan_dataset(options.data);
  if (!dataset) return with_context(dataset.error(), options.data);
  const auto splits = choose_split(*dataset, {}, split_seed(package->card));
  std::vector<Sample> training = side(*dataset, splits, Split::kTrain);
  Random(options.seed).shuffle(std::span(training));
  training.resize(std::min(training.size(), options.pictures));

  const std::vector<Sample> held_out = side(*dataset, splits, Split::kValidation);
  if (held_out.empty())
    return Error{ErrorCode::kInvalidArgument, options.data + ": too few patients to hold some out"};
  const auto calibration = read_inputs(training, *parts, options.threads, stop);
  if (!calibration) return calibration.error();

  // The fp32 bytes of a network, and the same in 8 bit.
  const auto both = [&](const fs::path& folder, const NetworkFiles& network, const auto& input_of,
                        const std::string& title) -> Result<std::pair<std::string, std::string>> {
    auto fp32 = read_text(folder / network.fp32.name);
    if (!fp32) return fp32.error();
    const std::size_t count = calibration->size();
    Progress progress("observing", 2 * count);
    auto quantized =
        quantize_network(*fp32, {count, [&](std::size_t index, std::span<float> input) {
                                   std::ranges::copy(input_of((*calibration)[index]), input.begin());
                                   progress.advance();
                                 }});
    progress.clear();
    if (!quantized) return with_context(quantized.error(), title);
    std::cout << fmt::format("{}: {} of {} layers compute in 8 bit, calibrated on {} training pictures\n",
                             title, quantized->layers_in_8_bit, quantized->layers, count);
    return std::pair{std::move(*fp32), std::move(quantized->onnx)};
  };
  ModelCard& card = package->card;
  const auto network = both(
      package->directory, card.network, [](const Inputs& inputs) { return std::span(inputs.network); },
      card.network.fp32.name);
  if (!network) return network.error();
  std::pair<std::string, std::string> lungs;
  if (card.lungs) {
    auto made = both(
        package->directory, card.lungs->network, [](const Inputs& inputs) { return std::span(inputs.lungs); },
        card.lungs->network.fp32.name);
    if (!made) return made.error();
    lungs = std::move(*made);
  }
  if (const std::optional<SeverityModel>& severity = parts->severity; severity) {
    auto made = both(
        parts->severity_folder(), severity->network,
        [](const Inputs& inputs) { return std::span(inputs.severity); }, severity->network.fp32.name);
    if (!made) return made.error();
    const auto written =
        write_severity_model(fs::path(options.out) / kSeverityFolder, *severity, {made->first, made->second});
    if (!written) return with_context(written.error(), kSeverityFolder);
  }
  const auto write = [&] {
    return write_package(options.out, card, {network->first, network->second}, {lungs.first, lungs.second});
  };
  card.about["int8"] = {
      {"calibration", {{"pictures", calibration->size()}, {"side", "train"}, {"seed", options.seed}}}};
  if (auto written = write(); !written) return with_context(written.error(), options.out);
  auto comparison = compare(options.out, held_out, stop);
  if (!comparison) return comparison.error();
  comparison->trained_on = !held_films_out(card);
  card.about["int8"]["comparison"] = to_json(*comparison);
  if (auto completed = write(); !completed) return with_context(completed.error(), options.out);
  return comparison;
}

int run_quantize(const QuantizeOptions& options) {
  const auto comparison = quantize(options, stop_on_interrupt());
  if (!comparison) {
    const ErrorCode code = comparison.error().code;
    return fail(comparison.error().message, code == ErrorCode::kCancelled         ? kExitInterrupted
                                            : code == ErrorCode::kInvalidArgument ? kExitUsage
                                                                                  : kExitSomeFailed);
  }
  std::cout << to_table(*comparison) << std::flush;
  if (const auto pinned = pin_package(options.out); !pinned) return fail(pinned.error().message);
  if (!std::cout) return fail("standard output cannot be written");
  if (!comparison->keeps_quality())
    return fail("8 bit costs too much quality; " + options.out + " should not be used");
  return kExitOk;
}

}  // namespace

void add_model(CLI::App& app, int& exit_code) {
  CLI::App* group = app.add_subcommand("model", "Work on model packages");
  group->require_subcommand(1);
  group->footer("'xray model COMMAND --help' tells more.");

  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = group->add_subcommand("quantize", "Add the network in 8 bit, which is faster");
  command->footer(
      "Observes the network on training pictures, writes a package that holds it in floats and in\n"
      "8 bit, and compares the two on the patients the model's own split held out for validation (of a\n"
      "model trained on all films: on films it knows, which tells no more than how 8 bit differs).\n"
      "The card keeps the figures. DATA is the folder the model was trained on. The package's self-test is\n"
      "pinned as by 'xray model pin'.\n"
      "\n"
      "Example:\n"
      "  xray model quantize runs/mine/package --data chest_xray/train --out models/mine\n"
      "\n"
      "Exit code: 0 done; 1 failed, or 8 bit costs more than 0.001 of AUC or 0.2 points of accuracy;\n"
      "2 wrong usage; 130 interrupted.");
  command->add_option("package", options->package, "Model package with the network in floats")->required();
  command->add_option("--data", options->data, "Folder of labelled pictures")->type_name("DIR")->required();
  command->add_option("--out", options->out, "Folder of the new package; may be the old one")
      ->type_name("DIR")
      ->required();
  command->add_option("--pictures", options->pictures, "Training pictures to observe (default: 300)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--seed", options->seed, "Which of them (default: 1)")->type_name("N");
  command->add_option("--threads", options->threads, "Threads that read pictures (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command->callback([options, &exit_code] { exit_code = run_quantize(*options); });

  add_model_import(*group, exit_code);
  add_model_export(*group, exit_code);
  add_model_pin(*group, exit_code);
}

}  // namespace xray
