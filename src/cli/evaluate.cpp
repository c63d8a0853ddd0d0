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
#include "cli/options.h"
#include "cli/robustness.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/text.h"
#include "dataset/dataset.h"
#include "diagnose/diagnoser.h"
#include "metrics/metrics.h"
#include "metrics/metrics_json.h"

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
  std::size_t limit = 0;
};

/// What the program said of one labelled picture, as far as the figures need it.
struct Answer {
  double probability = 0;
  std::optional<Subtype> subtype;  ///< the likelier kind, should it be pneumonia
};

Result<Answer> ask(const Diagnoser& diagnoser, const fs::path& file) {
  const Result<Bytes> bytes = read_file(file, diagnoser.limits().max_bytes);
  if (!bytes) return bytes.error();
  const Result<Finding> finding = diagnoser.diagnose(*bytes);
  if (!finding) return finding.error();
  Answer answer{finding->pneumonia / 100, std::nullopt};
  if (finding->has_subtype())
    answer.subtype = finding->bacterial >= finding->viral ? Subtype::kBacterial : Subtype::kViral;
  return answer;
}

/// All that is reported, for people and as JSON alike.
struct Report {
  std::string model;
  Metrics metrics;
  std::vector<std::pair<std::string, Error>> unreadable;
  std::int64_t subtype_cases = 0;  ///< pneumonia whose kind both the name and the model tell
  Estimate subtype_accuracy;
};

Report make_report(const std::string& model, double threshold, const std::vector<Sample>& samples,
                   const std::vector<Result<Answer>>& answers) {
  Report report{.model = model};
  std::vector<ScoredCase> cases;
  std::int64_t subtypes_right = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Sample& sample = samples[i];
    if (!answers[i]) {
      report.unreadable.emplace_back(sample.path.string(), answers[i].error());
      continue;
    }
    cases.push_back({sample.label == Label::kPneumonia, answers[i]->probability});
    const bool told = sample.subtype == Subtype::kBacterial || sample.subtype == Subtype::kViral;
    if (!told || !answers[i]->subtype) continue;
    ++report.subtype_cases;
    subtypes_right += answers[i]->subtype == sample.subtype ? 1 : 0;
  }
  report.metrics = measure(cases, threshold);
  report.subtype_accuracy = proportion(subtypes_right, report.subtype_cases);
  return report;
}

Json to_json(const Report& report) {
  Json json = to_json(report.metrics);
  json["unreadable"] = report.unreadable.size();
  json["unreadable_files"] = Json::array();
  for (const auto& [file, error] : report.unreadable)
    json["unreadable_files"].push_back(
        {{"file", file}, {"error", {{"code", name(error.code)}, {"message", error.message}}}});
  json["model"] = report.model;
  if (report.subtype_cases > 0)
    json["subtype"] = {{"n", report.subtype_cases}, {"accuracy", to_json(report.subtype_accuracy)}};
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

std::string to_table(const Report& report) {
  const Metrics& m = report.metrics;
  const Confusion& c = m.confusion;
  const auto normal = c.true_negative + c.false_positive;
  const auto pneumonia = c.true_positive + c.false_negative;
  std::string text = fmt::format("{} pictures ({} normal, {} pneumonia), model {}, threshold {:.1f} %\n\n",
                                 m.n, normal, pneumonia, report.model, 100 * m.threshold);
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
  if (report.subtype_cases > 0)
    text += table_row(fmt::format("bacterial or viral (of {})", report.subtype_cases),
                      report.subtype_accuracy, true);
  text += fmt::format("\n{:<28}{:>10}{:>12}\n", "", "normal", "pneumonia");
  text += fmt::format("{:<28}{:>10}{:>12}\n", "normal, read as", c.true_negative, c.false_positive);
  text += fmt::format("{:<28}{:>10}{:>12}\n", "pneumonia, read as", c.false_negative, c.true_positive);
  return text;
}

/// One line per picture; the last two fields empty where it was not read.
std::string to_csv(const std::vector<Sample>& samples, const std::vector<Result<Answer>>& answers,
                   double threshold) {
  std::string csv = "file,label,probability,verdict\r\n";
  for (std::size_t i = 0; i < answers.size(); ++i) {
    csv += fmt::format("{},{},", csv_field(samples[i].path.string()), name(samples[i].label));
    if (answers[i]) {
      const double probability = answers[i]->probability;
      csv += fmt::format("{:.9g},{}\r\n", probability,
                         name(probability >= threshold ? Verdict::kPneumonia : Verdict::kNormal));
    } else {
      csv += ",\r\n";
    }
  }
  return csv;
}

/// The samples of the side that was asked for, of a folder that gives such a side.
std::vector<Sample> select(Dataset dataset, std::optional<Split> side) {
  if (!side) return std::move(dataset.samples);
  std::vector<Sample> selected;
  for (Sample& sample : dataset.samples) {
    const auto given = dataset.given_split.find(sample.path.generic_string());
    if (given != dataset.given_split.end() && given->second == *side) selected.push_back(std::move(sample));
  }
  return selected;
}

int evaluate(const EvaluateOptions& options) {
  const std::stop_token stop = stop_on_interrupt();
  Result<Dataset> dataset = scan_dataset(options.folder);
  if (!dataset) return fail(options.folder + ": " + dataset.error().message, kExitUsage);
  for (const std::string& warning : dataset->warnings)
    std::cerr << "xray: warning: " << printable(warning) << '\n';
  const std::vector<Sample> samples = select(std::move(*dataset), options.split);
  if (options.split && samples.empty())
    return fail(fmt::format("{}: no folder gives a {} side", options.folder, name(*options.split)),
                kExitUsage);
  if (options.robustness)
    return evaluate_robustness(samples,
                               {.model = options.model,
                                .threshold = options.threshold,
                                .threads = options.threads,
                                .limit = options.limit,
                                .json = options.json,
                                .predictions = options.predictions},
                               stop);

  const auto diagnoser = open_diagnoser(options.model, {}, {.threads = options.threads});
  if (!diagnoser) return fail(diagnoser.error().message);
  const ModelCard& card = (*diagnoser)->card();
  const double threshold = options.threshold.value_or(card.threshold);

  const auto begin = std::chrono::steady_clock::now();
  std::vector<Result<Answer>> answers;
  answers.reserve(samples.size());
  Progress progress("evaluating", samples.size());
  const bool complete = parallel_ordered(
      samples.size(), options.threads, 4 * thread_count(options.threads),
      [&](std::size_t i) { return ask(**diagnoser, samples[i].path); },
      [&](std::size_t, Result<Answer> answer) {
        answers.push_back(std::move(answer));
        progress.advance();
      },
      stop);
  progress.clear();
  if (!complete)
    return fail(fmt::format("stopped after {} of {} pictures", answers.size(), samples.size()),
                kExitInterrupted);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const Report report = make_report(card.id(), threshold, samples, answers);
  for (const auto& [file, error] : report.unreadable)
    std::cerr << "xray: not read: " << printable(file + ": " + error.message) << '\n';
  std::cerr << fmt::format("{} read, {} not; {:.1f} s, {:.1f} per second\n", report.metrics.n,
                           report.unreadable.size(), seconds, static_cast<double>(samples.size()) / seconds);
  // File names are bytes; what is not UTF-8 must not cost the report.
  std::cout << (options.json ? to_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                             : to_table(report))
            << std::flush;
  if (!std::cout) return fail("standard output cannot be written");
  if (!options.predictions.empty())
    if (const auto written = write_file(options.predictions, to_csv(samples, answers, threshold)); !written)
      return fail(options.predictions + ": " + written.error().message);
  return report.unreadable.empty() ? kExitOk : kExitSomeFailed;
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
      "Examples:\n"
      "  xray evaluate chest_xray/test\n"
      "  xray evaluate --json --split val chest_xray > quality.json\n"
      "  xray evaluate --robustness --limit 400 chest_xray/train\n"
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
  CLI::Option* const robustness = command->add_flag(
      "--robustness", options->robustness, "How verdicts hold under some three dozen changes to the films");
  command
      ->add_option("--limit", options->limit,
                   "With --robustness: at most N pictures, half of them normal where there are as many")
      ->needs(robustness)
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->callback([options, &exit_code] { exit_code = evaluate(*options); });
}

}  // namespace xray
