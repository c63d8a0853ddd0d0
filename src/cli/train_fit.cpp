#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <sstream>

#include "cli/train_commands.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "dataset/dataset.h"
#include "metrics/calibration.h"
#include "metrics/metrics.h"
#include "metrics/metrics_json.h"
#include "model/card.h"
#include "train/picture_set.h"
#include "train/trainer.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

struct FitArguments {
  std::string data;
  std::string out;
  std::string name = "xray-pediatric";
  std::string version = "0.1.0";
  std::string about;  ///< JSON file of what the card is to say besides; may be empty
  int classes = 0;    ///< 0: three where the file names tell the kinds, else two
  std::uint64_t split_seed = 1;
  TrainOptions train;
  bool augment = true;
};

/// Everything a fit knows of its data once it is read.
struct FitData {
  Dataset dataset;
  std::vector<Split> splits;
  int classes = 2;
  PictureSet training;
  PictureSet validation;
  PictureSet test;
};

int exit_for(const Error& error) {
  std::cerr << "xray-train: " << error.message << '\n';
  switch (error.code) {
    case ErrorCode::kCancelled:
      return 130;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
      return 2;
    case ErrorCode::kNotAPicture:
    case ErrorCode::kUnsupported:
    case ErrorCode::kTooLarge:
    case ErrorCode::kDamaged:
    case ErrorCode::kUnusable:
    case ErrorCode::kBusy:
    case ErrorCode::kTimeout:
    case ErrorCode::kIo:
    case ErrorCode::kStorage:
    case ErrorCode::kBadModel:
    case ErrorCode::kInternal:
      return 1;
  }
  return 1;
}

Result<FitData> read_data(const FitArguments& arguments, const Preprocessor& preprocessor,
                          const std::stop_token& stop) {
  Result<Dataset> dataset = scan_dataset(arguments.data);
  if (!dataset) return with_context(dataset.error(), arguments.data);
  FitData data{.dataset = std::move(*dataset)};
  for (const std::string& warning : data.dataset.warnings) std::cerr << "warning: " << warning << '\n';
  const std::vector<Sample>& samples = data.dataset.samples;
  data.splits = choose_split(data.dataset, {}, arguments.split_seed);
  data.classes = arguments.classes;
  if (data.classes == 0) {
    const bool both_kinds = std::any_of(samples.begin(), samples.end(),
                                        [](const Sample& s) { return s.subtype == Subtype::kBacterial; }) &&
                            std::any_of(samples.begin(), samples.end(),
                                        [](const Sample& s) { return s.subtype == Subtype::kViral; });
    data.classes = both_kinds ? 3 : 2;
  }

  Progress progress("reading", samples.size());
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    std::vector<Sample> side;
    std::vector<std::size_t> origin;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (data.splits[i] != split) continue;
      side.push_back(samples[i]);
      origin.push_back(i);
    }
    Result<PictureSet> set = load_pictures(
        side, data.classes, preprocessor, arguments.train.threads, [&] { progress.advance(); }, stop);
    if (!set) return set.error();
    for (std::size_t& index : set->sample_index) index = origin[index];
    for (const std::string& reason : set->unreadable) std::cerr << "left out: " << reason << '\n';
    (split == Split::kTrain        ? data.training
     : split == Split::kValidation ? data.validation
                                   : data.test) = std::move(*set);
  }
  progress.clear();
  return data;
}

/// Probability of pneumonia and truth of each picture, and how often the kind was told right.
struct Scores {
  std::vector<ScoredCase> cases;
  std::vector<ScoredCase> viral;  ///< among pneumonia: P(viral | pneumonia)
};

Scores score(Classifier& network, const PictureSet& set, int classes, const Preprocessor& preprocessor) {
  const std::vector<float> logits = predict_logits(network, set.pictures, preprocessor);
  Scores scores;
  for (std::size_t i = 0; i < set.pictures.size(); ++i) {
    std::vector<double> p;
    double sum = 0;
    const float* row = logits.data() + i * static_cast<std::size_t>(classes);
    const auto highest = static_cast<double>(*std::max_element(row, row + classes));
    for (int c = 0; c < classes; ++c) sum += p.emplace_back(std::exp(static_cast<double>(row[c]) - highest));
    const int target = set.pictures[i].target;
    scores.cases.push_back({target != 0, 1 - p[0] / sum});
    if (classes == 3 && target != 0) scores.viral.push_back({target == 2, p[2] / (p[1] + p[2])});
  }
  return scores;
}

std::vector<ScoredCase> calibrated(std::vector<ScoredCase> cases, const PlattScaling& scaling) {
  for (ScoredCase& c : cases) c.probability = apply(scaling, c.probability);
  return cases;
}

nlohmann::ordered_json count_json(const FitData& data) {
  nlohmann::ordered_json json;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    std::map<std::string, int> classes;
    std::map<std::string, bool> patients;
    for (std::size_t i = 0; i < data.splits.size(); ++i) {
      if (data.splits[i] != split) continue;
      const Sample& sample = data.dataset.samples[i];
      ++classes[name(sample.label)];
      patients[sample.patient] = true;
    }
    json[name(split)] = {{"pictures", classes}, {"patients", patients.size()}};
  }
  return json;
}

/// Where the share of pneumonia missed equals the share of normal films called ill,
/// as nearly as the cases allow; midway between the two scores on either side.
/// Unlike the point of most right answers it does not lean on how common pneumonia
/// is in the set (three of four films), which no clinic shares.
double choose_threshold(const std::vector<ScoredCase>& cases) {
  std::vector<ScoredCase> sorted = cases;
  std::sort(sorted.begin(), sorted.end(),
            [](const ScoredCase& a, const ScoredCase& b) { return a.probability < b.probability; });
  const auto positives = static_cast<double>(
      std::count_if(sorted.begin(), sorted.end(), [](const ScoredCase& c) { return c.positive; }));
  const double negatives = static_cast<double>(sorted.size()) - positives;
  double best = 0.5;
  double smallest = std::numeric_limits<double>::infinity();
  double missed = 0;
  double alarms = negatives;
  for (std::size_t i = 0; i + 1 < sorted.size(); ++i) {
    // The threshold rises past this case, which is now called normal.
    (sorted[i].positive ? missed : alarms) += sorted[i].positive ? 1 : -1;
    if (sorted[i + 1].probability <= sorted[i].probability) continue;
    const double difference = std::abs(missed / positives - alarms / negatives);
    if (difference >= smallest) continue;
    smallest = difference;
    best = (sorted[i].probability + sorted[i + 1].probability) / 2;
  }
  return std::clamp(best, 0.01, 0.99);
}

/// Parts of the card that only a person knows: where the data came from, its licence, its limits.
Result<nlohmann::ordered_json> read_about(const std::string& path) {
  if (path.empty()) return nlohmann::ordered_json::object();
  const Result<std::string> text = read_text(path);
  if (!text) return with_context(text.error(), path);
  auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!json.is_object()) return Error{ErrorCode::kInvalidArgument, path + ": not a JSON object"};
  return json;
}

Result<Done> write_result(const FitArguments& arguments, const nlohmann::ordered_json& said, FitData& data,
                          Classifier& network, const Preprocessor& preprocessor) {
  const Scores validation = score(network, data.validation, data.classes, preprocessor);
  const Scores test = score(network, data.test, data.classes, preprocessor);
  const PlattScaling scaling = fit_platt(validation.cases);
  const std::vector<ScoredCase> validation_cases = calibrated(validation.cases, scaling);
  const double threshold = validation_cases.empty() ? 0.5 : choose_threshold(validation_cases);

  ModelCard card;
  card.name = arguments.name;
  card.version = arguments.version;
  card.input = preprocessor.spec();
  card.classes = class_names(data.classes);
  card.calibration = {.slope = scaling.slope, .intercept = scaling.intercept};
  card.threshold = threshold;

  nlohmann::ordered_json about;
  about["created"] = rfc3339(std::chrono::system_clock::now()).substr(0, 10);
  about["threshold_rule"] =
      "on the validation patients as large a share of pneumonia is missed as of normal films is called ill";
  about["calibration_data"] = "validation patients only (Platt scaling)";
  about["data"] = {
      {"folder", fs::path(arguments.data).filename().string()},
      {"split", count_json(data)},
      {"split_rule", "by patient, 80/10/10 within class, kind and group, where the folders give no other"},
      {"split_seed", arguments.split_seed}};
  about["training"] = to_json(arguments.train);
  // Where the starting weights lay on the trainer's disk says nothing to a reader.
  about["training"]["weights"] = fs::path(arguments.train.weights).filename().string();
  const auto quality = [&](const Scores& scores) {
    nlohmann::ordered_json json = to_json(measure(calibrated(scores.cases, scaling), threshold));
    if (!scores.viral.empty()) json["bacterial_or_viral"] = to_json(measure(scores.viral, 0.5))["accuracy"];
    return json;
  };
  if (!validation.cases.empty()) about["quality"]["validation"] = quality(validation);
  if (!test.cases.empty()) about["quality"]["test"] = quality(test);
  about["quality"]["note"] =
      "Measured on patients the network was not trained on, but of the same hospital and era; films from "
      "elsewhere are read less well.";
  about["intended_use"] =
      "A second pair of eyes on frontal (AP or PA) chest radiographs of children aged one to five, for "
      "clinicians who look at the film themselves.";
  about["not_for"] = {"a diagnosis without a physician",
                      "adults, newborns, lateral films, CT or any other picture",
                      "excluding other disease: it knows normal and pneumonia only"};
  about["licence"] = "Apache-2.0; the terms of the data it was trained on apply beside it";
  about.merge_patch(said);
  card.about = std::move(about);

  const fs::path package = fs::path(arguments.out) / "package";
  Result<Done> written =
      write_package(package, card, network.to_onnx(preprocessor.spec().height, preprocessor.spec().width));
  if (!written) return written;

  // Kept for reading the model's mistakes without running it again.
  std::ostringstream csv;
  csv << "split,file,label,subtype,patient,probability\n";
  const auto rows = [&](const char* split, const PictureSet& set, const Scores& scores) {
    for (std::size_t i = 0; i < set.pictures.size(); ++i) {
      const Sample& sample = data.dataset.samples[set.sample_index[i]];
      csv << split << ',' << fs::relative(sample.path, data.dataset.root).generic_string() << ','
          << name(sample.label) << ',' << name(sample.subtype) << ',' << sample.patient << ','
          << std::setprecision(6) << apply(scaling, scores.cases[i].probability) << '\n';
    }
  };
  rows("validation", data.validation, validation);
  rows("test", data.test, test);
  written = write_file(fs::path(arguments.out) / "predictions.csv", csv.str());
  if (!written) return written;

  const auto percent = [](const nlohmann::ordered_json& estimate) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(1) << 100 * estimate["value"].get<double>() << " % ("
        << 100 * estimate["low"].get<double>() << " to " << 100 * estimate["high"].get<double>() << ")";
    return out.str();
  };
  for (const char* side : {"validation", "test"}) {
    if (!card.about["quality"].contains(side)) continue;
    const auto& q = card.about["quality"][side];
    if (q["auc"]["value"].is_null()) continue;
    std::cout << side << ": " << q["n"] << " pictures, accuracy " << percent(q["accuracy"])
              << ", sensitivity " << percent(q["sensitivity"]) << ", specificity "
              << percent(q["specificity"]) << ", AUC " << std::fixed << std::setprecision(4)
              << q["auc"]["value"].get<double>() << '\n';
  }
  std::cout << "model package: " << package.string() << '\n';
  return Done{};
}

int fit(FitArguments arguments) {
  const std::stop_token stop = stop_on_interrupt();
  if (!arguments.augment) arguments.train.augment = no_augmentation();
  const Preprocessor preprocessor(
      {.width = arguments.train.input_size, .height = arguments.train.input_size});

  // Read before training: a typing error must not cost a night.
  const Result<nlohmann::ordered_json> said = read_about(arguments.about);
  if (!said) return exit_for(said.error());
  Result<FitData> data = read_data(arguments, preprocessor, stop);
  if (!data) return exit_for(data.error());
  std::cerr << data->training.pictures.size() << " pictures to train on, " << data->validation.pictures.size()
            << " to validate, " << data->test.pictures.size() << " kept for a last test; classes:";
  for (const std::string& class_name : class_names(data->classes)) std::cerr << ' ' << class_name;
  std::cerr << '\n';

  std::unique_ptr<Progress> progress;
  std::int64_t last_step = 0;
  double rate_sum = 0;
  double wait_sum = 0;
  int reports = 0;
  TrainCallbacks callbacks;
  callbacks.on_progress = [&](const TrainProgress& p) {
    // Counts pictures, so that its rate is the one people compare; a resumed run counts what is left.
    const auto batch = static_cast<std::size_t>(arguments.train.batch_size);
    if (!progress)
      progress = std::make_unique<Progress>("training", static_cast<std::size_t>(p.steps - p.step) * batch);
    else
      progress->advance(static_cast<std::size_t>(p.step - last_step) * batch);
    last_step = p.step;
    rate_sum += p.images_per_second;
    wait_sum += p.loader_wait;
    ++reports;
  };
  callbacks.on_epoch = [&](const EpochReport& r) {
    if (progress) progress->clear();
    std::cerr << "epoch " << r.epoch << ": training loss " << std::fixed << std::setprecision(4)
              << r.train_loss << ", validation loss " << r.validation_loss << ", AUC " << r.validation_auc
              << ", accuracy " << r.validation_accuracy << std::setprecision(1) << "; "
              << rate_sum / std::max(reports, 1) << " img/s, of which "
              << 100 * wait_sum / std::max(reports, 1) << " % waiting for pictures"
              << (r.best ? " (best so far)" : "") << '\n';
    rate_sum = wait_sum = 0;
    reports = 0;
  };
  Result<std::shared_ptr<Classifier>> network =
      train(arguments.train, data->classes, data->training.pictures, data->validation.pictures, preprocessor,
            arguments.out, callbacks, stop);
  if (progress) progress->clear();
  if (!network) return exit_for(network.error());
  const Result<Done> written = write_result(arguments, *said, *data, **network, preprocessor);
  return written ? 0 : exit_for(written.error());
}

}  // namespace

void add_fit(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<FitArguments>();
  CLI::App* fit_command = app.add_subcommand(
      "fit", "Train on a folder with NORMAL and PNEUMONIA, split by patient, and write a model package");
  TrainOptions& train = arguments->train;
  fit_command->add_option("--data", arguments->data, "Folder with the pictures")->required();
  fit_command->add_option("--out", arguments->out, "Folder of the run; one that was stopped goes on")
      ->required();
  fit_command->add_option("--name", arguments->name, "Name in the model card")->capture_default_str();
  fit_command->add_option("--model-version", arguments->version, "Version in the model card")
      ->capture_default_str();
  fit_command->add_option("--about", arguments->about,
                          "JSON file with what the card is to say besides (data, licence, limits)");
  fit_command
      ->add_option("--arch", train.architecture,
                   "cnn3, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, mobilenet-v2")
      ->capture_default_str();
  fit_command->add_option("--weights", train.weights, "Start from these weights (scripts/convert-weights)");
  fit_command->add_option("--classes", arguments->classes, "2 or 3; 3 tells bacterial from viral")
      ->check(CLI::IsMember({2, 3}));
  fit_command->add_option("--input", train.input_size, "Side of the network's input in pixels")
      ->check(CLI::Range(64, 1024))
      ->capture_default_str();
  fit_command->add_option("--epochs", train.epochs, "Passes over the training pictures")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  fit_command->add_option("--batch", train.batch_size, "Pictures per step")
      ->check(CLI::Range(2, 4096))
      ->capture_default_str();
  fit_command->add_option("--lr", train.learning_rate, "Peak of the one-cycle schedule")
      ->capture_default_str();
  fit_command->add_option("--weight-decay", train.weight_decay, "Of AdamW; not on batch norm and biases")
      ->capture_default_str();
  fit_command
      ->add_option("--label-smoothing", train.label_smoothing, "Share of the target spread over all classes")
      ->capture_default_str();
  fit_command->add_option("--balance", train.class_balance, "Class balance in the loss: 0 none, 1 full")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  fit_command->add_option("--ema", train.ema, "Decay of the averaged weights")->capture_default_str();
  fit_command
      ->add_option("--dropout", train.dropout, "Before the classifier; negative: the architecture's own")
      ->capture_default_str();
  fit_command->add_option("--drop-path", train.drop_path, "Chance to skip the last residual block")
      ->capture_default_str();
  fit_command
      ->add_option("--patience", train.patience,
                   "Stop after this many epochs without gain and keep the best; 0: never, keep the last")
      ->capture_default_str();
  fit_command->add_flag("!--no-augment", arguments->augment, "Train on the pictures as they are");
  fit_command->add_option("--seed", train.seed, "Of weights, order and augmentation")->capture_default_str();
  fit_command->add_option("--split-seed", arguments->split_seed, "Of the split by patient")
      ->capture_default_str();
  fit_command->add_option("--threads", train.threads, "For the network; 0: all cores")->capture_default_str();
  fit_command->add_option("--loader-threads", train.loader_threads, "For making pictures")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  fit_command->add_option("--precision", train.precision, "auto, bf16, fp32")->capture_default_str();
  fit_command->add_option("--device", train.device, "cpu or cuda")->capture_default_str();
  fit_command->callback([arguments, &exit_code] { exit_code = fit(*arguments); });
}

}  // namespace xray
