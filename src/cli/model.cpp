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

/// Pictures as the network takes them, and what they show.
struct LabelledInputs {
  std::vector<std::vector<float>> inputs;
  std::vector<bool> pneumonia;
};

/// Samples that cannot be read are left out with a word on standard error.
Result<LabelledInputs> read_inputs(const std::vector<Sample>& samples, const Preprocessor& preprocessor,
                                   int threads, const std::stop_token& stop) {
  LabelledInputs read;
  Progress progress("reading", samples.size());
  const auto produce = [&](std::size_t i) -> Result<std::vector<float>> {
    const auto bytes = read_file(samples[i].path, DecodeLimits{}.max_bytes);
    if (!bytes) return bytes.error();
    const auto image = decode_image(*bytes, {}, preprocessor.decode_size());
    if (!image) return image.error();
    std::vector<float> input(preprocessor.input_size());
    if (auto prepared = preprocessor(*image, input); !prepared) return prepared.error();
    return input;
  };
  const auto consume = [&](std::size_t i, Result<std::vector<float>> input) {
    progress.advance();
    if (!input) {
      progress.clear();
      fail("left out: " + samples[i].path.string() + ": " + input.error().message);
      return;
    }
    read.inputs.push_back(std::move(*input));
    read.pneumonia.push_back(samples[i].label == Label::kPneumonia);
  };
  if (!parallel_ordered(samples.size(), threads, 4 * thread_count(threads), produce, consume, stop))
    return Error{ErrorCode::kCancelled, "stopped while reading pictures"};
  return read;
}

/// One network's answers to the pictures, and the time the fastest one took, on one core.
struct Answers {
  std::vector<double> probabilities;
  double milliseconds = std::numeric_limits<double>::infinity();
};

Result<Done> ask(Backend& backend, const ModelCard& card, std::span<const float> input, Answers& answers) {
  const auto begin = std::chrono::steady_clock::now();
  const auto predictions = backend.infer(input, 1);
  if (!predictions) return predictions.error();
  const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
  answers.milliseconds = std::min(answers.milliseconds, passed.count());
  answers.probabilities.push_back(pneumonia_probability(card, predictions->front().logits));
  return Done{};
}

/// 8 bit against floats on pictures that neither training nor calibration has seen.
struct Comparison {
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

Result<Comparison> compare(const ModelPackage& package, const LabelledInputs& pictures) {
  const auto open = [&](Precision precision) {
    return make_openvino_backend(package, {.threads = 1, .low_latency = true, .precision = precision});
  };
  const auto fp32_backend = open(Precision::kFp32);
  if (!fp32_backend) return fp32_backend.error();
  const auto int8_backend = open(Precision::kInt8);
  if (!int8_backend) return int8_backend.error();
  Answers fp32;
  Answers int8;
  // In turns, so that both are timed under the same load.
  for (const std::vector<float>& input : pictures.inputs) {
    if (auto asked = ask(**fp32_backend, package.card, input, fp32); !asked) return asked.error();
    if (auto asked = ask(**int8_backend, package.card, input, int8); !asked) return asked.error();
  }
  const double threshold = package.card.threshold;
  const auto figures = [&](const Answers& answers) {
    std::vector<ScoredCase> cases;
    for (std::size_t i = 0; i < answers.probabilities.size(); ++i)
      cases.push_back({pictures.pneumonia[i], answers.probabilities[i]});
    return measure(cases, threshold);
  };
  Comparison result{.pictures = pictures.inputs.size(),
                    .fp32 = figures(fp32),
                    .int8 = figures(int8),
                    .fp32_milliseconds = fp32.milliseconds,
                    .int8_milliseconds = int8.milliseconds};
  for (std::size_t i = 0; i < result.pictures; ++i) {
    const double before = fp32.probabilities[i];
    const double after = int8.probabilities[i];
    result.mean_change += std::abs(after - before) / static_cast<double>(result.pictures);
    result.largest_change = std::max(result.largest_change, std::abs(after - before));
    result.other_verdicts += (before >= threshold) != (after >= threshold) ? 1 : 0;
  }
  return result;
}

std::string to_table(const Comparison& c) {
  std::string text =
      fmt::format("{:<28}{:>10}{:>10}\n", fmt::format("on {} held-out pictures", c.pictures), "fp32", "int8");
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

std::vector<Sample> side(const Dataset& dataset, const std::vector<Split>& splits, Split wanted) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < splits.size(); ++i)
    if (splits[i] == wanted) samples.push_back(dataset.samples[i]);
  return samples;
}

Result<Comparison> quantize(const QuantizeOptions& options, const std::stop_token& stop) {
  auto package = load_package(options.package);
  if (!package) return with_context(package.error(), options.package);
  const auto dataset = scan_dataset(options.data);
  if (!dataset) return with_context(dataset.error(), options.data);
  const auto splits = choose_split(*dataset, {}, split_seed(package->card));
  std::vector<Sample> training = side(*dataset, splits, Split::kTrain);
  Random(options.seed).shuffle(std::span(training));
  training.resize(std::min(training.size(), options.pictures));

  const Preprocessor preprocessor(package->card.input);
  const auto calibration = read_inputs(training, preprocessor, options.threads, stop);
  if (!calibration) return calibration.error();
  const auto held_out =
      read_inputs(side(*dataset, splits, Split::kValidation), preprocessor, options.threads, stop);
  if (!held_out) return held_out.error();
  if (held_out->inputs.empty())
    return Error{ErrorCode::kInvalidArgument, options.data + ": too few patients to hold some out"};

  const auto network = read_text(*package->network_path(Precision::kFp32));
  if (!network) return network.error();
  const std::size_t count = calibration->inputs.size();
  Progress progress("observing", 2 * count);
  const auto quantized =
      quantize_network(*network, {count, [&](std::size_t index, std::span<float> input) {
                                    std::ranges::copy(calibration->inputs[index], input.begin());
                                    progress.advance();
                                  }});
  progress.clear();
  if (!quantized) return with_context(quantized.error(), options.package);
  std::cout << fmt::format("{} of {} layers compute in 8 bit, calibrated on {} training pictures\n",
                           quantized->layers_in_8_bit, quantized->layers, count);

  ModelCard& card = package->card;
  card.about["int8"] = {{"calibration", {{"pictures", count}, {"side", "train"}, {"seed", options.seed}}}};
  if (auto written = write_package(options.out, card, *network, quantized->onnx); !written)
    return with_context(written.error(), options.out);
  const auto written = load_package(options.out);
  if (!written) return with_context(written.error(), options.out);
  auto comparison = compare(*written, *held_out);
  if (!comparison) return comparison.error();
  card.about["int8"]["validation"] = to_json(*comparison);
  if (auto completed = write_package(options.out, card, *network, quantized->onnx); !completed)
    return with_context(completed.error(), options.out);
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
      "8 bit, and compares the two on the patients the model's own split held out for validation.\n"
      "The card keeps the figures. DATA is the folder the model was trained on.\n"
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
}

}  // namespace xray
