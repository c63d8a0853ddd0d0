#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <utility>

#include "cli/train_commands.h"
#include "cli/train_common.h"
#include "cli/train_data.h"
#include "cli/train_quality.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "metrics/calibration.h"
#include "model/card.h"
#include "train/out_of_fold.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Folds as which a fit without cross-validation keeps its own two sides.
constexpr int kValidationFold = 0;
constexpr int kTestFold = 1;
/// Share of the verdicts given that should be right.
constexpr double kDecidedRight = 0.99;
/// Of the kinds' calibration where the logits do not tell them apart: all that is left is how frequent they
/// are.
constexpr double kLeastSlope = 1e-3;

struct FitArguments {
  std::string out;
  std::string name = "xray";
  std::string version = "0.1.0";
  std::string about;        ///< JSON file of what the card is to say besides; may be empty
  std::string out_of_fold;  ///< scores of `xray-train crossval`; empty: films are kept back instead
  std::string operating_point = "equal-errors";
  double most_undecided = 0.05;
  std::uint64_t split_seed = 1;
  std::shared_ptr<ClassifierArguments> classifier = std::make_shared<ClassifierArguments>();
};

nlohmann::ordered_json count_json(const Dataset& dataset, const std::vector<Split>& splits) {
  nlohmann::ordered_json json;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    std::map<std::string, int> classes;
    std::set<std::string> patients;
    for (std::size_t i = 0; i < splits.size(); ++i) {
      if (splits[i] != split) continue;
      ++classes[name(dataset.samples[i].label)];
      patients.insert(dataset.samples[i].patient);
    }
    if (!patients.empty()) json[name(split)] = {{"pictures", classes}, {"patients", patients.size()}};
  }
  return json;
}

/// What calibration, threshold and the card's figures are taken from.
struct Evidence {
  std::vector<FoldScore> chosen_on;  ///< patients not trained on: validation, or all by cross-validation
  std::vector<FoldScore> test;       ///< a last test, where films were kept back for one
};

Result<Done> write_result(const FitArguments& arguments, const nlohmann::ordered_json& said,
                          const TrainingData& data, const std::vector<Split>& splits,
                          const OperatingPoint& point, Classifier& network, Evidence evidence) {
  const bool crossed = !arguments.out_of_fold.empty();
  const std::vector<ScoredCase> cases = pneumonia_cases(data.dataset, evidence.chosen_on);
  const PlattScaling scaling = fit_platt(cases);
  const auto calibrated = [&](std::vector<ScoredCase> raw) {
    for (ScoredCase& c : raw) c.probability = apply(scaling, c.probability);
    return raw;
  };
  ModelCard card;
  card.name = arguments.name;
  card.version = arguments.version;
  card.input = data.input;
  card.lungs = data.lungs;
  card.classes = class_names(data.classes);
  const PlattScaling kind = fit_kind(data.dataset, evidence.chosen_on);
  card.calibration = {.slope = scaling.slope,
                      .intercept = scaling.intercept,
                      .kind_slope = std::max(kind.slope, kLeastSlope),
                      .kind_intercept = kind.intercept};
  card.threshold = choose_threshold(calibrated(cases), point);
  card.undecided =
      choose_undecided(calibrated(cases), card.threshold, kDecidedRight, arguments.most_undecided);

  const TrainOptions& train = arguments.classifier->train;
  nlohmann::ordered_json about;
  about["created"] = rfc3339(std::chrono::system_clock::now()).substr(0, 10);
  about["threshold_rule"] = describe(point);
  about["calibration_data"] = crossed
                                  ? "Platt scaling of the out-of-fold scores of a cross-validation by patient"
                                  : "Platt scaling on validation patients only";
  about["data"] = {
      {"folder", fs::path(arguments.classifier->data).filename().string()},
      {"split", count_json(data.dataset, splits)},
      {"split_rule", crossed ? "all films trained on; figures by cross-validation"
                             : "by patient, 80/10/10 within class, kind and group, where the folders "
                               "give no other"},
      {"split_seed", arguments.split_seed}};
  about["training"] = to_json(train);
  // Where the starting weights lay on the trainer's disk says nothing to a reader.
  about["training"]["weights"] = fs::path(train.weights).filename().string();
  about["training"]["teachers"] = train.teachers.size();  // as the starting weights
  about["training"]["soup"] = train.soup.size();
  about["training"]["extra_films"] = data.extra.size();
  about["training"]["confounder_share"] =
      data.confounder.empty() ? 0 : arguments.classifier->confounder_share;
  if (crossed) {
    // The figures use calibrations of the other folds, not the one fitted on all of them.
    about["quality"]["cross_validation"] = quality_json(
        data.dataset, evidence.chosen_on, cross_calibrated(cases, evidence.chosen_on), card.threshold);
  } else if (!cases.empty()) {
    about["quality"]["validation"] =
        quality_json(data.dataset, evidence.chosen_on, calibrated(cases), card.threshold, kind);
  }
  if (!evidence.test.empty())
    about["quality"]["test"] =
        quality_json(data.dataset, evidence.test, calibrated(pneumonia_cases(data.dataset, evidence.test)),
                     card.threshold, kind);
  about.merge_patch(said);
  card.about = std::move(about);

  const fs::path package = fs::path(arguments.out) / "package";
  Result<Done> written = write_package(package, card, {network.to_onnx(data.input.height, data.input.width)},
                                       {data.lung_network});
  if (!written) return written;

  // Kept for reading the model's mistakes without running it again.
  std::vector<FoldScore> all = evidence.chosen_on;
  all.insert(all.end(), evidence.test.begin(), evidence.test.end());
  if (!crossed) {
    written =
        write_file(fs::path(arguments.out) / "predictions.csv", to_csv(data.dataset, all, data.classes));
    if (!written) return written;
  }
  for (const auto& [side, quality] : card.about["quality"].items())
    if (quality.is_object()) std::cout << side << ": " << quality_line(quality) << '\n';
  std::cout << "model package: " << package.string() << '\n';
  return Done{};
}

int fit(const FitArguments& arguments) {
  const std::stop_token stop = stop_on_interrupt();
  // Read before training: a typing error must not cost a night.
  const Result<nlohmann::ordered_json> said = read_about(arguments.about);
  if (!said) return train_exit(said.error());
  const Result<OperatingPoint> point = operating_point_from(arguments.operating_point);
  if (!point) return train_exit(point.error());
  const ClassifierArguments& classifier = *arguments.classifier;
  Result<TrainingData> read = read_training_data(classifier, stop);
  if (!read) return train_exit(read.error());
  TrainingData& data = *read;
  const Preprocessor preprocessor(data.input);

  Evidence evidence;
  std::vector<Split> splits(data.dataset.samples.size(), Split::kTrain);
  if (arguments.out_of_fold.empty()) {
    splits = choose_split(data.dataset, {}, arguments.split_seed);
  } else {
    Result<std::vector<FoldScore>> scores =
        read_fold_scores(arguments.out_of_fold, data.dataset, data.classes);
    if (!scores) return train_exit(scores.error());
    evidence.chosen_on = std::move(*scores);
  }
  const auto on_side = [&](Split split) {
    return [&, split](std::size_t film) { return splits[data.films.sample_index[film]] == split; };
  };
  std::vector<std::string> earlier = classifier.train.teachers;
  earlier.insert(earlier.end(), classifier.train.soup.begin(), classifier.train.soup.end());
  for (const fs::path run : earlier) {
    if (!fs::exists(run / "package" / "card.json"))
      return train_exit({ErrorCode::kInvalidArgument, run.string() + ": no run of fit that has ended"});
    if (!arguments.out_of_fold.empty()) continue;
    const auto kept = [&](std::size_t film) {
      return splits[data.films.sample_index[film]] != Split::kTrain;
    };
    if (const auto same =
            check_held_out(run / "predictions.csv", data.dataset, data.classes, data.samples_of(kept));
        !same)
      return train_exit(same.error());
  }
  const std::vector<TrainingPicture> training = data.select_training(on_side(Split::kTrain));
  const std::vector<TrainingPicture> validation = data.select(on_side(Split::kValidation));
  std::cerr << training.size() << " films to train on, " << validation.size() << " to validate, "
            << data.films.pictures.size() + data.extra.size() - training.size() - validation.size()
            << " kept for a last test; classes:";
  for (const std::string& class_name : class_names(data.classes)) std::cerr << ' ' << class_name;
  std::cerr << '\n';

  TrainReporter reporter("training", classifier.train.batch_size);
  const Result<std::shared_ptr<Classifier>> network =
      train(classifier.train, data.classes, training, validation, preprocessor, arguments.out,
            reporter.callbacks(), stop);
  reporter.clear();
  if (!network) return train_exit(network.error());
  if (arguments.out_of_fold.empty()) {
    evidence.chosen_on =
        score_films(**network, data, on_side(Split::kValidation), kValidationFold, preprocessor);
    evidence.test = score_films(**network, data, on_side(Split::kTest), kTestFold, preprocessor);
  }
  const Result<Done> written =
      write_result(arguments, *said, data, splits, *point, **network, std::move(evidence));
  return written ? 0 : train_exit(written.error());
}

}  // namespace

void add_fit(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<FitArguments>();
  CLI::App* command = app.add_subcommand(
      "fit", "Train on a folder with NORMAL and PNEUMONIA, split by patient, and write a model package");
  command->add_option("--out", arguments->out, "Folder of the run; one that was stopped goes on")->required();
  command->add_option("--name", arguments->name, "Name in the model card")->capture_default_str();
  command->add_option("--model-version", arguments->version, "Version in the model card")
      ->capture_default_str();
  command->add_option("--about", arguments->about,
                      "JSON file with what the card is to say besides (data, licence, use, limits)");
  command->add_option(
      "--out-of-fold", arguments->out_of_fold,
      "Scores of xray-train crossval: trains on all films, calibrates and chooses the threshold on them");
  command
      ->add_option("--operating-point", arguments->operating_point,
                   "equal-errors, accuracy, half, sensitivity:0.98 (any share)")
      ->capture_default_str();
  command
      ->add_option("--undecided", arguments->most_undecided,
                   "Share of films that may get no verdict, so that 99 % of the verdicts given are right")
      ->check(CLI::Range(0.0, 0.5))
      ->capture_default_str();
  command->add_option("--split-seed", arguments->split_seed, "Of the split by patient")
      ->capture_default_str();
  add_classifier_options(*command, arguments->classifier);
  command->callback([arguments, &exit_code] { exit_code = fit(*arguments); });
}

}  // namespace xray
