#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <optional>
#include <set>

#include "cli/train_commands.h"
#include "cli/train_common.h"
#include "cli/train_data.h"
#include "cli/train_quality.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "metrics/metrics_json.h"
#include "train/out_of_fold.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

struct CrossvalArguments {
  std::string out;
  int folds = 5;
  int only = 0;   ///< number of the one fold to train, from 1; 0: all
  int first = 0;  ///< train the first so many folds; 0: all
  bool by_group = false;
  std::uint64_t fold_seed = 1;
  std::string operating_point = "equal-errors";
  std::shared_ptr<ClassifierArguments> classifier = std::make_shared<ClassifierArguments>();
};

/// Figures as a user of the finished model would meet them: calibration and
/// threshold of every fold come from the other folds.
nlohmann::ordered_json measure_folds(const TrainingData& data, const std::vector<FoldScore>& scores,
                                     const OperatingPoint& point) {
  const std::vector<ScoredCase> cases = pneumonia_cases(data.dataset, scores);
  const std::vector<ScoredCase> calibrated = cross_calibrated(cases, scores);
  std::set<int> folds;
  for (const FoldScore& score : scores) folds.insert(score.fold);

  nlohmann::ordered_json json;
  // Each fold's scores shifted so that its threshold comes to 0.5: one confusion matrix for all.
  std::vector<ScoredCase> judged = calibrated;
  for (const int fold : folds) {
    std::vector<ScoredCase> others;
    std::vector<ScoredCase> own;
    std::vector<FoldScore> own_scores;
    std::vector<FoldScore> other_scores;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (scores[i].fold != fold) {
        others.push_back(calibrated[i]);
        other_scores.push_back(scores[i]);
      } else {
        own.push_back(calibrated[i]);
        own_scores.push_back(scores[i]);
      }
    }
    const double threshold = choose_threshold(others, point);
    json["folds"].push_back(
        quality_json(data.dataset, own_scores, own, threshold, fit_kind(data.dataset, other_scores)));
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (scores[i].fold == fold) judged[i].probability = calibrated[i].probability >= threshold ? 1 : 0;
  }
  nlohmann::ordered_json all = quality_json(data.dataset, scores, calibrated, 0.5);
  const nlohmann::ordered_json verdicts = quality_json(data.dataset, scores, judged, 0.5);
  json["at_one_half"] = all;
  for (const char* figure :
       {"threshold", "accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "confusion"})
    all[figure] = verdicts[figure];
  all["threshold"] = nullptr;  // one per fold, see there
  json["all"] = std::move(all);
  return json;
}

/// overlap_auc() of the scores, where a confounder was given.
std::optional<double> beyond_confounder(const TrainingData& data, const std::vector<FoldScore>& scores) {
  if (data.confounder.empty()) return std::nullopt;
  const auto score_of = by_sample(data.confounder);
  std::vector<FoldScore> same;
  for (const FoldScore& score : scores) same.push_back(*score_of.at(score.sample));
  return overlap_auc(pneumonia_cases(data.dataset, scores), pneumonia_cases(data.dataset, same));
}

/// What is known of a fold when its run ends or pauses: its scores, and figures of them as they are
/// (not calibrated, threshold 0.5). What searches for hyperparameters reads these.
Result<Done> write_fold(const fs::path& folder, const TrainingData& data, const Classifier& network,
                        const std::vector<FoldScore>& scores, int epochs) {
  if (auto written = write_file(folder / "scores.csv", to_csv(data.dataset, scores, data.classes)); !written)
    return written.error();
  const std::vector<ScoredCase> cases = pneumonia_cases(data.dataset, scores);
  nlohmann::ordered_json figures;
  const nlohmann::ordered_json measured = to_json(measure(cases, 0.5, 0));
  for (const char* name :
       {"auc", "accuracy", "sensitivity", "specificity", "f1", "average_precision", "brier", "ece"})
    figures[name] = measured[name]["value"];
  if (const std::optional<double> beyond = beyond_confounder(data, scores))
    figures["auc_beyond_confounder"] = *beyond;
  if (const auto known = viral_cases(data.dataset, of_known_kind(data.dataset, scores)); !known.empty())
    figures["kind_accuracy"] = to_json(measure(known, 0.5, 0))["accuracy"]["value"];
  std::int64_t parameters = 0;
  for (const torch::Tensor& tensor : network.parameters()) parameters += tensor.numel();
  figures["parameters"] = parameters;
  const nlohmann::ordered_json json = {{"epochs", epochs}, {"films", scores.size()}, {"figures", figures}};
  return write_file(folder / "quality.json", json.dump(2) + "\n");
}

int crossval(const CrossvalArguments& arguments) {
  const std::stop_token stop = stop_on_interrupt();
  const Result<OperatingPoint> point = operating_point_from(arguments.operating_point);
  if (!point) return train_exit(point.error());
  const ClassifierArguments& classifier = *arguments.classifier;
  if (classifier.hide_lungs && classifier.lungs.empty())
    return train_exit({ErrorCode::kInvalidArgument, "--hide-lungs needs the network of --lungs"});
  const Result<TrainingData> read = read_training_data(classifier, stop);
  if (!read) return train_exit(read.error());
  const TrainingData& data = *read;
  const Preprocessor preprocessor(data.input);
  const std::vector<Sample>& samples = data.dataset.samples;
  const std::vector<int> folds = arguments.by_group
                                     ? folds_by_group(samples, arguments.fold_seed)
                                     : folds_by_patient(samples, arguments.folds, arguments.fold_seed);
  const int count = *std::max_element(folds.begin(), folds.end()) + 1;
  if (count < 2)
    return train_exit({ErrorCode::kInvalidArgument, "the films cannot be divided: one fold, one group"});

  if (std::max(arguments.only, arguments.first) > count)
    return train_exit({ErrorCode::kInvalidArgument, "there are only " + std::to_string(count) + " folds"});
  const bool in_part = arguments.only > 0 || arguments.first > 0 || classifier.train.pause_after > 0;

  std::vector<FoldScore> scores;
  for (int fold = 0; fold < count; ++fold) {
    if (arguments.only > 0 && fold + 1 != arguments.only) continue;
    if (arguments.first > 0 && fold >= arguments.first) break;
    const auto in_fold = [&](std::size_t film) { return folds[data.films.sample_index[film]] == fold; };
    const std::vector<TrainingPicture> training =
        data.select_training([&](std::size_t film) { return !in_fold(film); });
    const std::vector<TrainingPicture> held_out = data.select(in_fold);
    std::cerr << "fold " << fold + 1 << " of " << count << ": " << training.size() << " films to train on, "
              << held_out.size() << " held out\n";
    const fs::path folder = fs::path(arguments.out) / ("fold-" + std::to_string(fold + 1));
    // Those of their own folds: what is measured on was trained on by none.
    TrainOptions options = classifier.train;
    for (std::vector<std::string>* runs : {&options.teachers, &options.soup}) {
      for (std::string& earlier : *runs) {
        const fs::path run = fs::path(earlier) / folder.filename();
        if (const auto same =
                check_held_out(run / "scores.csv", data.dataset, data.classes, data.samples_of(in_fold));
            !same)
          return train_exit(same.error());
        earlier = run.string();
      }
    }
    TrainReporter reporter("fold " + std::to_string(fold + 1), classifier.train.batch_size);
    const Result<std::shared_ptr<Classifier>> network =
        train(options, data.classes, training, held_out, preprocessor, folder, reporter.callbacks(), stop);
    reporter.clear();
    if (!network) return train_exit(network.error());
    const std::vector<FoldScore> of_fold = score_films(**network, data, in_fold, fold, preprocessor);
    const int until = classifier.train.pause_after;
    const int epochs = until > 0 ? std::min(until, classifier.train.epochs) : classifier.train.epochs;
    if (const auto written = write_fold(folder, data, **network, of_fold, epochs); !written)
      return train_exit(written.error());
    scores.insert(scores.end(), of_fold.begin(), of_fold.end());
    if (in_part) continue;
    // Of the folds so far; a stopped run leaves them readable.
    const auto written =
        write_file(fs::path(arguments.out) / "out-of-fold.csv", to_csv(data.dataset, scores, data.classes));
    if (!written) return train_exit(written.error());
  }

  const std::optional<double> beyond = beyond_confounder(data, scores);
  if (beyond) std::cout << "AUC beyond the confounder: " << *beyond << '\n';
  if (in_part) return 0;
  nlohmann::ordered_json quality = measure_folds(data, scores, *point);
  if (beyond) quality["auc_beyond_confounder"] = *beyond;
  const auto written = write_file(fs::path(arguments.out) / "quality.json", quality.dump(2) + "\n");
  if (!written) return train_exit(written.error());
  std::cout << "calibration and threshold (" << arguments.operating_point
            << ") of every fold from the other folds:\n";
  for (std::size_t fold = 0; fold < quality["folds"].size(); ++fold)
    std::cout << "  fold " << fold + 1 << ": " << quality_line(quality["folds"][fold]) << '\n';
  std::cout << "  all:    " << quality_line(quality["all"])
            << "\n  at 0.5: " << quality_line(quality["at_one_half"])
            << "\nout-of-fold scores: " << (fs::path(arguments.out) / "out-of-fold.csv").string() << '\n';
  return 0;
}

}  // namespace

void add_crossval(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<CrossvalArguments>();
  CLI::App* command = app.add_subcommand(
      "crossval",
      "Train as often as there are folds, each time on the films of the other folds' patients, and "
      "measure on those left out");
  command->add_option("--out", arguments->out, "Folder of the runs; one that was stopped goes on")
      ->required();
  command->add_option("--folds", arguments->folds, "How many, divided by patient")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  command->add_option("--only", arguments->only, "Train this fold alone, counted from 1 (to share the work)")
      ->check(CLI::Range(1, 100));
  command->add_option("--first", arguments->first, "Train the first so many folds alone (for a quick look)")
      ->check(CLI::Range(1, 100));
  command->add_flag(
      "--by-group", arguments->by_group,
      "Leave whole groups of films out (families of file names, as IM- and NORMAL2-IM-) instead");
  command->add_option("--fold-seed", arguments->fold_seed, "Of the division")->capture_default_str();
  command->add_flag("--hide-lungs", arguments->classifier->hide_lungs,
                    "Paint the lungs over: what is still told tells of the film's dress, not of the patient "
                    "(needs --lungs)");
  command
      ->add_option("--operating-point", arguments->operating_point,
                   "equal-errors, accuracy, half, sensitivity:0.98 (any share)")
      ->capture_default_str();
  add_classifier_options(*command, arguments->classifier);
  command->callback([arguments, &exit_code] { exit_code = crossval(*arguments); });
}

}  // namespace xray
