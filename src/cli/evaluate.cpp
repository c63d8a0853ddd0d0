#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/localisation.h"
#include "cli/options.h"
#include "cli/robustness.h"
#include "common/csv.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/text.h"
#include "dataset/dataset.h"
#include "diagnose/diagnoser.h"
#include "metrics/metrics.h"
#include "metrics/metrics_json.h"
#include "report/evaluation.h"
#include "report/page.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct EvaluateOptions {
  std::string folder;
  bool json = false;
  std::optional<Split> split;
  ModelChoice model;
  std::optional<double> threshold;
  int threads = 0;
  std::string predictions;
  bool robustness = false;
  bool where = false;
  std::size_t limit = 0;
  std::string report;
};

/// Misread pictures per class on the page.
constexpr std::size_t kMistakesShown = 24;

Result<Judgement> ask(const Diagnoser& diagnoser, const Dataset& dataset, std::size_t sample) {
  const Result<Bytes> bytes = read_file(dataset.samples[sample].path, diagnoser.limits().max_bytes);
  if (!bytes) return bytes.error();
  const Result<Finding> finding = diagnoser.diagnose(*bytes);
  if (!finding) return finding.error();
  if (finding->is_rejected()) return Error{ErrorCode::kUnusable, "rejected: " + describe_reasons(*finding)};
  Judgement judgement{.sample = sample,
                      .probability = finding->pneumonia / 100,
                      .width = finding->width,
                      .height = finding->height,
                      .uncertain = finding->verdict == Verdict::kUncertain};
  if (finding->has_subtype())
    judgement.subtype = finding->bacterial >= finding->viral ? Subtype::kBacterial : Subtype::kViral;
  return judgement;
}

/// The figures that are reported, for people and as JSON alike.
struct Figures {
  Metrics metrics;
  Kinds kinds;
  std::size_t uncertain = 0;
  Estimate decided_accuracy;  ///< of the pictures that are not uncertain
  std::size_t rejected = 0;   ///< read, but refused: the others of Evaluation::unreadable failed
};

bool was_rejected(const std::pair<std::size_t, Error>& unread) {
  return unread.second.code == ErrorCode::kUnusable;
}

Figures figures_of(const Evaluation& evaluation) {
  Figures figures{measure(scored_cases(evaluation), evaluation.threshold), compare_kinds(evaluation)};
  std::int64_t right = 0;
  for (const Judgement& judgement : evaluation.judgements) {
    const bool ill = evaluation.dataset.samples[judgement.sample].label == Label::kPneumonia;
    figures.uncertain += judgement.uncertain ? 1 : 0;
    right += !judgement.uncertain && (judgement.probability >= evaluation.threshold) == ill ? 1 : 0;
  }
  figures.decided_accuracy =
      proportion(right, static_cast<std::int64_t>(evaluation.judgements.size() - figures.uncertain));
  figures.rejected = static_cast<std::size_t>(std::ranges::count_if(evaluation.unreadable, was_rejected));
  return figures;
}

Json to_json(const Evaluation& evaluation, const Figures& figures) {
  Json json = to_json(figures.metrics);
  json["uncertain"] = figures.uncertain;
  json["decided_accuracy"] = to_json(figures.decided_accuracy);
  json["rejected"] = figures.rejected;
  json["rejected_files"] = Json::array();
  json["unreadable"] = evaluation.unreadable.size() - figures.rejected;
  json["unreadable_files"] = Json::array();
  for (const auto& unread : evaluation.unreadable) {
    const auto& [sample, error] = unread;
    json[was_rejected(unread) ? "rejected_files" : "unreadable_files"].push_back(
        {{"file", evaluation.dataset.samples[sample].path.string()}, {"error", to_json(error)}});
  }
  json["model"] = evaluation.card.id();
  if (figures.kinds.n > 0)
    json["subtype"] = {{"n", figures.kinds.n}, {"accuracy", to_json(figures.kinds.accuracy)}};
  return json;
}

std::string table_row(const std::string& figure, const Estimate& e, bool per_cent) {
  const auto number = [&](double value) {
    if (std::isnan(value)) return std::string("-");
    return per_cent ? fmt::format("{:.1f} %", 100 * value) : fmt::format("{:.4f}", value);
  };
  return fmt::format("{:<28}{:>10}    {:>8} to {:>8}\n", figure, number(e.value), number(e.low),
                     number(e.high));
}

std::string to_table(const Evaluation& evaluation, const Figures& figures) {
  const Metrics& m = figures.metrics;
  const Confusion& c = m.confusion;
  const auto normal = c.true_negative + c.false_positive;
  const auto pneumonia = c.true_positive + c.false_negative;
  std::string text = fmt::format("{} pictures ({} normal, {} pneumonia), model {}, threshold {:.1f} %\n\n",
                                 m.n, normal, pneumonia, evaluation.card.id(), 100 * m.threshold);
  text += fmt::format("{:<28}{:>10}    {:>20}\n", "", "", "95 % interval");
  text += table_row("accuracy", m.accuracy, true);
  text += table_row("sensitivity", m.sensitivity, true);
  text += table_row("specificity", m.specificity, true);
  text += table_row("positive predictive value", m.ppv, true);
  text += table_row("negative predictive value", m.npv, true);
  text += table_row("F1", m.f1, false);
  text += table_row("AUC", m.auc, false);
  text += table_row("average precision", m.average_precision, false);
  text += table_row("Brier score", m.brier, false);
  text += table_row("expected calibration error", m.ece, false);
  if (figures.kinds.n > 0)
    text +=
        table_row(fmt::format("bacterial or viral (of {})", figures.kinds.n), figures.kinds.accuracy, true);
  if (figures.uncertain > 0) text += table_row("accuracy of those decided", figures.decided_accuracy, true);
  if (figures.uncertain > 0 || figures.rejected > 0)
    text += fmt::format("\n{} uncertain (counted above by their percentage), {} rejected (not counted)\n",
                        figures.uncertain, figures.rejected);
  text += fmt::format("\n{:<28}{:>10}{:>12}\n", "", "normal", "pneumonia");
  text += fmt::format("{:<28}{:>10}{:>12}\n", "normal, read as", c.true_negative, c.false_positive);
  text += fmt::format("{:<28}{:>10}{:>12}\n", "pneumonia, read as", c.false_negative, c.true_positive);
  return text;
}

/// One line per picture; the last two fields empty where it was not read.
std::string to_csv(const Evaluation& evaluation) {
  std::string csv = "file,label,probability,verdict\r\n";
  auto judged = evaluation.judgements.begin();
  for (std::size_t i = 0; i < evaluation.dataset.samples.size(); ++i) {
    const Sample& sample = evaluation.dataset.samples[i];
    csv += fmt::format("{},{},", csv_field(sample.path.string()), name(sample.label));
    if (judged != evaluation.judgements.end() && judged->sample == i) {
      const double probability = (judged++)->probability;
      csv += fmt::format("{:.9g},{}\r\n", probability,
                         name(probability >= evaluation.threshold ? Verdict::kPneumonia : Verdict::kNormal));
    } else {
      csv += ",\r\n";
    }
  }
  return csv;
}

/// Leaves the samples of the side that was asked for, of a folder that gives such a side.
void select(Dataset& dataset, std::optional<Split> side) {
  if (side) std::erase_if(dataset.samples, [&](const Sample& s) { return given_side(dataset, s) != side; });
}

/// The page about the evaluation. kCancelled where `stop` was requested.
Result<Done> write_report(const fs::path& path, const Evaluation& evaluation, const Metrics& metrics,
                          const Diagnoser& diagnoser, int threads, const std::stop_token& stop) {
  PictureNames names(evaluation.dataset);
  const Dataset& dataset = evaluation.dataset;
  Json page = begin_page("evaluation", dataset);
  page["evaluation"] = to_json(evaluation, metrics, names, kMistakesShown);
  page["thumbnails"] = by_sample(thumbnails(dataset, names.named(), diagnoser.limits(), threads, stop));
  page["heat_maps"] = by_sample(heat_maps(dataset, names.named(), diagnoser, threads, stop));
  if (stop.stop_requested()) return Error{ErrorCode::kCancelled, "stopped before the page was written"};
  return write_page(path, page);
}

int evaluate(const EvaluateOptions& options) {
  if (options.limit > 0 && !options.robustness && !options.where)
    return fail("--limit goes with --robustness or --where", kExitUsage);
  const std::stop_token stop = stop_on_interrupt();
  Result<Dataset> dataset = scan_dataset(options.folder);
  if (!dataset) return fail(options.folder + ": " + dataset.error().message, kExitUsage);
  for (const std::string& warning : dataset->warnings)
    std::cerr << "xray: warning: " << printable(warning) << '\n';
  select(*dataset, options.split);
  if (options.split && dataset->samples.empty())
    return fail(fmt::format("{}: no folder gives a {} side", options.folder, name(*options.split)),
                kExitUsage);
  if (options.robustness)
    return evaluate_robustness(dataset->samples,
                               {.model = options.model,
                                .threshold = options.threshold,
                                .threads = options.threads,
                                .limit = options.limit,
                                .json = options.json,
                                .predictions = options.predictions},
                               stop);
  if (options.where)
    return evaluate_localisation(
        dataset->samples,
        {.model = options.model, .threads = options.threads, .limit = options.limit, .json = options.json},
        stop);

  const auto diagnoser = open_diagnoser(options.model, {}, {.threads = options.threads});
  if (!diagnoser) return fail(diagnoser.error().message);
  Evaluation evaluation{.dataset = std::move(*dataset), .card = (*diagnoser)->card()};
  evaluation.threshold = options.threshold.value_or(evaluation.card.threshold);
  const std::size_t pictures = evaluation.dataset.samples.size();

  const auto begin = std::chrono::steady_clock::now();
  Progress progress("evaluating", pictures);
  const bool complete = parallel_ordered(
      pictures, options.threads, 4 * thread_count(options.threads),
      [&](std::size_t i) { return ask(**diagnoser, evaluation.dataset, i); },
      [&](std::size_t i, Result<Judgement> judgement) {
        if (judgement)
          evaluation.judgements.push_back(*judgement);
        else
          evaluation.unreadable.emplace_back(i, judgement.error());
        progress.advance();
      },
      stop);
  progress.clear();
  const std::size_t judged = evaluation.judgements.size() + evaluation.unreadable.size();
  if (!complete)
    return fail(fmt::format("stopped after {} of {} pictures", judged, pictures), kExitInterrupted);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const Figures figures = figures_of(evaluation);
  for (const auto& [sample, error] : evaluation.unreadable)
    std::cerr << "xray: not read: "
              << printable(evaluation.dataset.samples[sample].path.string() + ": " + error.message) << '\n';
  std::cerr << fmt::format("{} read, {} not; {:.1f} s, {:.1f} per second\n", evaluation.judgements.size(),
                           evaluation.unreadable.size(), seconds, static_cast<double>(pictures) / seconds);
  // File names are bytes; what is not UTF-8 must not cost the report.
  std::cout << (options.json
                    ? to_json(evaluation, figures).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                    : to_table(evaluation, figures))
            << std::flush;
  if (!std::cout) return fail("standard output cannot be written");
  if (!options.predictions.empty())
    if (const auto written = write_file(options.predictions, to_csv(evaluation)); !written)
      return fail(options.predictions + ": " + written.error().message);
  if (!options.report.empty()) {
    const auto written =
        write_report(options.report, evaluation, figures.metrics, **diagnoser, options.threads, stop);
    if (!written)
      return fail(options.report + ": " + written.error().message,
                  stop.stop_requested() ? kExitInterrupted : kExitSomeFailed);
  }
  return evaluation.unreadable.size() == figures.rejected ? kExitOk : kExitSomeFailed;
}

}  // namespace

void add_evaluate(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = app.add_subcommand("evaluate", "Measure the quality on labelled pictures");
  command->footer(
      "Labels come from the nearest folder named NORMAL or PNEUMONIA, at any depth, so Kaggle's\n"
      "chest_xray/{train,val,test} works as it is; so does one of its parts. Every figure comes\n"
      "with its 95 % interval, which takes the pictures as independent.\n"
      "\n"
      "--robustness reads each picture again in every way that hospitals spoil films (exposure,\n"
      "markers, borders, crops, JPEG, a photograph of a screen...) and tells how often the verdict\n"
      "turns: what moves with a film's dress was not read from the lungs.\n"
      "\n"
      "--where draws opacities into the normal films, and asks whether the heat map points at them\n"
      "and severity grows with them; from the films of pneumonia it takes the hottest parts away, and\n"
      "asks whether the percentage falls faster than by chance.\n"
      "\n"
      "Examples:\n"
      "  xray evaluate chest_xray/test\n"
      "  xray evaluate --json --split val chest_xray > quality.json\n"
      "  xray evaluate --robustness --limit 400 chest_xray/train\n"
      "  xray evaluate chest_xray/test --report quality.html\n"
      "\n"
      "Exit code: 0 all were read, 1 some were not, 2 wrong usage, 130 interrupted.");
  command->add_option("folder", options->folder, "Folder of labelled pictures")->required();
  command->add_flag("--json", options->json, "One JSON object; fractions from 0 to 1");
  const std::map<std::string, std::optional<Split>> sides{
      {"train", Split::kTrain}, {"val", Split::kValidation}, {"test", Split::kTest}, {"all", std::nullopt}};
  command
      ->add_option_function<std::string>(
          "--split", [options, sides](const std::string& side) { options->split = sides.at(side); },
          "Only pictures below folders named so (default: all)")
      ->check(CLI::IsMember({"train", "val", "test", "all"}));
  add_model_options(*command, options->model);
  command
      ->add_option("--threshold", options->threshold,
                   "Probability of pneumonia, 0 to 1, from which on the verdict is pneumonia (default: the "
                   "model card's)")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--threads", options->threads, "Threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--predictions", options->predictions,
                   "Write file, label, probability and verdict of each picture into this CSV file")
      ->type_name("FILE");
  CLI::Option* const report =
      command
          ->add_option(
              "--report", options->report,
              "Write a self-contained page into this HTML file: curves, subgroups, worst mistakes with "
              "heat maps")
          ->type_name("FILE");
  CLI::Option* const robustness =
      command
          ->add_flag("--robustness", options->robustness,
                     "How verdicts hold under some three dozen changes to the films")
          ->excludes(report);
  command->add_flag("--where", options->where, "How well heat map and severity point")
      ->excludes(report)
      ->excludes(robustness);
  command
      ->add_option("--limit", options->limit,
                   "With --robustness or --where: at most N pictures, half of them normal where there are "
                   "as many")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->callback([options, &exit_code] { exit_code = evaluate(*options); });
}

}  // namespace xray
