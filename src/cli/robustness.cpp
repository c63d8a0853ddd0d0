#include "cli/robustness.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <utility>

#include "cli/commands.h"
#include "cli/options.h"
#include "common/csv.h"
#include "common/file.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/text.h"
#include "diagnose/diagnoser.h"
#include "metrics/metrics.h"
#include "metrics/metrics_json.h"
#include "perturb/perturb.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

/// No chest film comes near; it bounds what enlarged pictures take.
constexpr std::uint64_t kMostPixels = 30'000'000;
/// Share of the verdicts that a change may not touch.
constexpr double kSteady = 0.99;

/// Probability of pneumonia under each row of the suite; nothing where it was refused.
using Scores = std::vector<std::optional<double>>;

Result<Scores> score(const Diagnoser& diagnoser, const std::filesystem::path& file,
                     const std::stop_token& stop) {
  const Result<Bytes> bytes = read_file(file, diagnoser.limits().max_bytes);
  if (!bytes) return bytes.error();
  const Result<Image> image = diagnoser.decode(*bytes);
  if (!image) return image.error();
  // From the content: a picture meets the same accidents wherever it lies and whatever lies beside it.
  const std::uint64_t seed = std::stoull(sha256_hex(*bytes).substr(0, 16), nullptr, 16);
  Scores scores;
  for (const Perturbation& perturbation : kRobustnessSuite) {
    if (stop.stop_requested()) return Error{ErrorCode::kCancelled, "stopped"};
    const Result<Finding> finding = diagnoser.diagnose(perturb(*image, perturbation, seed));
    if (!finding) return finding.error();
    if (finding->is_rejected() && perturbation.kind == PerturbationKind::kOriginal)
      return Error{ErrorCode::kUnusable, describe_reasons(*finding)};
    scores.push_back(finding->is_rejected() ? std::nullopt : std::optional(finding->pneumonia / 100));
  }
  return scores;
}

/// How the program takes one kind of accident.
struct Row {
  const Perturbation* perturbation = nullptr;
  std::int64_t refused = 0;
  std::int64_t to_normal = 0;
  std::int64_t to_pneumonia = 0;
  Estimate flip_rate;               ///< of the pictures not refused
  double mean_change = 0;           ///< of the percentage, in points
  double mean_absolute_change = 0;  ///< likewise
  Metrics metrics;                  ///< of the pictures not refused
};

struct Report {
  std::string model;
  std::vector<Row> rows;  ///< in the suite's order
  std::vector<std::pair<std::string, Error>> unreadable;
};

Row make_row(std::size_t number, double threshold, const std::vector<Sample>& samples,
             const std::vector<Result<Scores>>& answers) {
  Row row{.perturbation = &kRobustnessSuite.at(number)};
  std::vector<ScoredCase> cases;
  double change = 0;
  double absolute_change = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) continue;
    const std::optional<double> before = answers[i]->front();
    const std::optional<double> after = (*answers[i])[number];
    if (!before || !after) {
      ++row.refused;
      continue;
    }
    cases.push_back({samples[i].label == Label::kPneumonia, *after});
    row.to_pneumonia += *before < threshold && *after >= threshold ? 1 : 0;
    row.to_normal += *before >= threshold && *after < threshold ? 1 : 0;
    change += 100 * (*after - *before);
    absolute_change += 100 * std::abs(*after - *before);
  }
  const auto n = static_cast<std::int64_t>(cases.size());
  row.flip_rate = proportion(row.to_normal + row.to_pneumonia, n);
  row.mean_change = change / static_cast<double>(n);
  row.mean_absolute_change = absolute_change / static_cast<double>(n);
  row.metrics = measure(cases, threshold, 0);
  return row;
}

Report make_report(const std::string& model, double threshold, const std::vector<Sample>& samples,
                   const std::vector<Result<Scores>>& answers) {
  Report report{.model = model};
  for (std::size_t number = 0; number < kRobustnessSuite.size(); ++number)
    report.rows.push_back(make_row(number, threshold, samples, answers));
  for (std::size_t i = 0; i < answers.size(); ++i)
    if (!answers[i]) report.unreadable.emplace_back(samples[i].path.string(), answers[i].error());
  return report;
}

/// The rows that a verdict should live through.
std::vector<const Row*> judged(const Report& report) {
  std::vector<const Row*> rows;
  for (const Row& row : report.rows) {
    const Perturbation& p = *row.perturbation;
    if (p.kind != PerturbationKind::kOriginal && !p.should_be_refused && row.metrics.n > 0)
      rows.push_back(&row);
  }
  return rows;
}

const Row* worst_of(const std::vector<const Row*>& rows) {
  const auto worst = std::ranges::max_element(rows, {}, [](const Row* row) { return row->flip_rate.value; });
  return worst == rows.end() ? nullptr : *worst;
}

std::int64_t steady(const std::vector<const Row*>& rows) {
  return std::ranges::count_if(rows, [](const Row* row) { return 1 - row->flip_rate.value >= kSteady; });
}

Json to_json(const Row& row) {
  const auto number = [](double value) { return std::isnan(value) ? Json() : Json(value); };
  return {{"name", row.perturbation->name},
          {"label", row.perturbation->label},
          {"should_be_refused", row.perturbation->should_be_refused},
          {"n", row.metrics.n},
          {"refused", row.refused},
          {"flip_rate", to_json(row.flip_rate)},
          {"flips", {{"to_pneumonia", row.to_pneumonia}, {"to_normal", row.to_normal}}},
          {"mean_change_points", number(row.mean_change)},
          {"mean_absolute_change_points", number(row.mean_absolute_change)},
          {"auc", to_json(row.metrics.auc)},
          {"accuracy", to_json(row.metrics.accuracy)},
          {"sensitivity", to_json(row.metrics.sensitivity)},
          {"specificity", to_json(row.metrics.specificity)}};
}

Json to_json(const Report& report) {
  const std::vector<const Row*> rows = judged(report);
  const Row* const worst = worst_of(rows);
  Json json = {{"model", report.model},
               {"threshold", report.rows.front().metrics.threshold},
               {"worst", worst != nullptr ? Json(worst->perturbation->name) : Json()},
               {"judged", rows.size()},
               {"steady", steady(rows)},
               {"perturbations", Json::array()},
               {"unreadable", report.unreadable.size()},
               {"unreadable_files", Json::array()}};
  for (const Row& row : report.rows) json["perturbations"].push_back(to_json(row));
  for (const auto& [file, error] : report.unreadable)
    json["unreadable_files"].push_back({{"file", file}, {"error", to_json(error)}});
  return json;
}

std::string to_table(const Report& report) {
  const auto number = [](double value, int digits) {
    return std::isnan(value) ? std::string("-") : fmt::format("{:.{}f}", value, digits);
  };
  const auto signed_points = [](double value) {
    return std::isnan(value) ? std::string("-") : fmt::format("{:+.1f}", value);
  };
  const auto per_cent = [&](double share) { return number(100 * share, 1); };
  const Metrics& baseline = report.rows.front().metrics;
  const auto normal = baseline.confusion.true_negative + baseline.confusion.false_positive;
  std::string text =
      fmt::format("{} pictures ({} normal, {} pneumonia), model {}, threshold {:.1f} %\n\n", baseline.n,
                  normal, baseline.n - normal, report.model, 100 * baseline.threshold);
  text += fmt::format("{:<25}{:>8}{:>15}{:>14}{:>15}{:>8}{:>9}{:>7}{:>7}{:>7}\n", "", "verdicts", "95 %  ",
                      "of them to", "points", "", "accu-", "sensi-", "speci-", "re-");
  text += fmt::format("{:<25}{:>8}{:>15}{:>7}{:>7}{:>7}{:>8}{:>8}{:>9}{:>7}{:>7}{:>7}\n", "", "turned %",
                      "interval", "pneu.", "normal", "mean", "|mean|", "AUC", "racy %", "tivity", "ficity",
                      "fused");
  for (const Row& row : report.rows) {
    const Perturbation& p = *row.perturbation;
    const Metrics& m = row.metrics;
    text += fmt::format(
        "{:<25}{:>8}{:>15}{:>7}{:>7}{:>7}{:>8}{:>8}{:>9}{:>7}{:>7}{:>7}\n",
        fmt::format("{}{}", p.label, p.should_be_refused ? " *" : ""), per_cent(row.flip_rate.value),
        fmt::format("{} to {}", per_cent(row.flip_rate.low), per_cent(row.flip_rate.high)), row.to_pneumonia,
        row.to_normal, signed_points(row.mean_change), number(row.mean_absolute_change, 1),
        number(m.auc.value, 4), per_cent(m.accuracy.value), per_cent(m.sensitivity.value),
        per_cent(m.specificity.value), row.refused);
  }
  text += "\n* should rather be refused than read; not counted below\n";
  const std::vector<const Row*> rows = judged(report);
  const Row* const worst = worst_of(rows);
  if (worst == nullptr) return text + "no picture was read\n";
  return text + fmt::format("{} of {} keep at least {:.0f} % of the verdicts; worst: {}, {} % turned\n",
                            steady(rows), rows.size(), 100 * kSteady, worst->perturbation->label,
                            per_cent(worst->flip_rate.value));
}

/// One line per picture and row of the suite; the last two fields empty where nothing was read.
std::string to_csv(const std::vector<Sample>& samples, const std::vector<Result<Scores>>& answers,
                   double threshold) {
  std::string csv = "file,label,perturbation,probability,verdict\r\n";
  for (std::size_t i = 0; i < answers.size(); ++i) {
    for (std::size_t number = 0; number < kRobustnessSuite.size(); ++number) {
      csv += fmt::format("{},{},{},", csv_field(samples[i].path.string()), name(samples[i].label),
                         kRobustnessSuite.at(number).name);
      const std::optional<double> probability = answers[i] ? (*answers[i])[number] : std::nullopt;
      csv += probability
                 ? fmt::format("{:.9g},{}\r\n", *probability,
                               name(*probability >= threshold ? Verdict::kPneumonia : Verdict::kNormal))
                 : ",\r\n";
    }
  }
  return csv;
}

}  // namespace

std::vector<Sample> spread(const std::vector<Sample>& samples, std::size_t limit) {
  std::vector<const Sample*> classes[2];
  for (const Sample& sample : samples) classes[sample.label == Label::kPneumonia ? 1 : 0].push_back(&sample);
  const std::size_t total = std::min(limit, samples.size());
  const std::size_t normal =
      std::clamp(total / 2, total - std::min(total, classes[1].size()), std::min(total, classes[0].size()));
  const std::size_t counts[2] = {normal, total - normal};
  std::vector<Sample> chosen;
  for (std::size_t side = 0; side < 2; ++side)
    for (std::size_t i = 0; i < counts[side]; ++i)
      chosen.push_back(*classes[side][i * classes[side].size() / counts[side]]);
  return chosen;
}

int evaluate_robustness(const std::vector<Sample>& samples, const RobustnessOptions& options,
                        const std::stop_token& stop) {
  const std::vector<Sample> chosen = options.limit > 0 ? spread(samples, options.limit) : samples;
  const auto diagnoser =
      open_diagnoser(options.model, {.max_pixels = kMostPixels}, {.threads = options.threads});
  if (!diagnoser) return fail(diagnoser.error().message);
  const ModelCard& card = (*diagnoser)->card();
  const double threshold = options.threshold.value_or(card.threshold);

  const auto begin = std::chrono::steady_clock::now();
  std::vector<Result<Scores>> answers;
  answers.reserve(chosen.size());
  Progress progress("evaluating", chosen.size());
  const bool complete = parallel_ordered(
      chosen.size(), options.threads, 4 * thread_count(options.threads),
      [&](std::size_t i) { return score(**diagnoser, chosen[i].path, stop); },
      [&](std::size_t, Result<Scores> scores) {
        answers.push_back(std::move(scores));
        progress.advance();
      },
      stop);
  progress.clear();
  if (!complete)
    return fail(fmt::format("stopped after {} of {} pictures", answers.size(), chosen.size()),
                kExitInterrupted);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const Report report = make_report(card.id(), threshold, chosen, answers);
  for (const auto& [file, error] : report.unreadable)
    std::cerr << "xray: not read: " << printable(file + ": " + error.message) << '\n';
  std::cerr << fmt::format("{} read under {} changes, {} not; {:.1f} s\n", report.rows.front().metrics.n,
                           kRobustnessSuite.size() - 1, report.unreadable.size(), seconds);
  std::cout << (options.json ? to_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                             : to_table(report))
            << std::flush;
  if (!std::cout) return fail("standard output cannot be written");
  if (!options.predictions.empty())
    if (const auto written = write_file(options.predictions, to_csv(chosen, answers, threshold)); !written)
      return fail(options.predictions + ": " + written.error().message);
  // A film that is rejected as it is was read.
  const bool all_read = std::ranges::all_of(
      report.unreadable, [](const auto& unread) { return unread.second.code == ErrorCode::kUnusable; });
  return all_read ? kExitOk : kExitSomeFailed;
}

}  // namespace xray
