#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <sstream>
#include <utility>

#include "cli/train_commands.h"
#include "cli/train_common.h"
#include "common/correlation.h"
#include "common/csv.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "dataset/dataset.h"
#include "diagnose/severity.h"
#include "infer/lung_finder.h"
#include "model/severity.h"
#include "train/opacity.h"
#include "train/picture_set.h"
#include "train/scored_films.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Share of the cases that a margin is to hold for.
constexpr double kWithin = 0.9;
/// Share of normal films below SeverityModel::hardly_normal.
constexpr double kNormalBelow = 0.99;
/// Less of a score is no reason to doubt: films of other hospitals score a little higher throughout.
constexpr double kLeastDoubt = 2;
constexpr double kLeastZoneDoubt = 0.75;
/// Exposures of each scored film that are made up, to see how far its scores wander.
constexpr int kExposures = 4;

struct SeverityArguments {
  std::vector<std::string> data;
  std::string scores;
  std::string films;
  std::string lungs;
  std::string out;
  std::string about;
  double margin = InputSpec{}.margin;
  double opaque = SeverityModel{}.opaque;
  int folds = 8;
  int scored_epochs = 4;
  double scored_rate = 5e-4;
  std::uint64_t seed = 1;
  std::shared_ptr<TrainOptions> train = std::make_shared<TrainOptions>(opacity_train_options());
};

struct Films {
  std::vector<TrainingPicture> training;
  std::vector<TrainingPicture> validation;
  std::size_t first = 0;  ///< of `validation`, those of the first folder: the films verdicts are given on
};

/// Normal films and films of pneumonia, a tenth of the patients kept for validation.
Result<Films> read_films(const SeverityArguments& arguments, const Preprocessor& preprocessor,
                         const LungUse& lungs, const std::stop_token& stop) {
  constexpr SplitRatios kRatios{.train = 0.9, .validation = 0.1, .test = 0};
  Films films;
  for (const std::string& folder : arguments.data) {
    const auto dataset = scan_dataset(folder);
    if (!dataset) return with_context(dataset.error(), folder);
    const std::vector<Split> splits = split_by_patient(dataset->samples, kRatios, arguments.seed);
    Progress progress("reading", dataset->samples.size());
    auto set = load_pictures(
        dataset->samples, 2, preprocessor, lungs, arguments.train->threads, [&] { progress.advance(); },
        stop);
    if (!set) return set.error();
    progress.clear();
    for (const std::string& reason : set->unreadable) std::cerr << "left out: " << reason << '\n';
    for (std::size_t i = 0; i < set->pictures.size(); ++i) {
      const bool held = splits[set->sample_index[i]] == Split::kValidation;
      (held ? films.validation : films.training).push_back(std::move(set->pictures[i]));
    }
    if (films.first == 0) films.first = films.validation.size();
  }
  return films;
}

std::vector<Sample> samples_of(const std::vector<ScoredFilm>& scored) {
  std::vector<Sample> samples;
  for (const ScoredFilm& film : scored)
    samples.push_back({.path = film.path, .label = Label::kPneumonia, .patient = film.patient});
  return samples;
}

/// Scored films as pictures, in the order of `scored`, which loses those without lungs.
Result<std::vector<TrainingPicture>> read_scored(std::vector<ScoredFilm>& scored,
                                                 const Preprocessor& preprocessor, const LungUse& lungs,
                                                 int threads, const std::stop_token& stop) {
  auto set = load_pictures(samples_of(scored), 2, preprocessor, lungs, threads, {}, stop);
  if (!set) return set.error();
  for (const std::string& reason : set->unreadable) std::cerr << "left out: " << reason << '\n';
  std::vector<ScoredFilm> read;
  for (std::size_t i = 0; i < set->pictures.size(); ++i) {
    read.push_back(scored[set->sample_index[i]]);
    set->pictures[i].zone_scores.assign(read.back().zones.begin(), read.back().zones.end());
  }
  scored = std::move(read);
  return std::move(set->pictures);
}

/// Scored films often, and a third as many normal ones, so that what is clear stays clear.
std::vector<TrainingPicture> mixture(const std::vector<TrainingPicture>& scored,
                                     const std::vector<TrainingPicture>& films, std::uint64_t seed) {
  constexpr int kTimes = 10;
  std::vector<std::size_t> normal;
  for (std::size_t i = 0; i < films.size(); ++i)
    if (films[i].target == 0) normal.push_back(i);
  Random(seed).shuffle(std::span(normal));
  normal.resize(std::min(normal.size(), scored.size() * kTimes / 3));
  std::vector<TrainingPicture> mixed;
  for (int time = 0; time < kTimes; ++time) mixed.insert(mixed.end(), scored.begin(), scored.end());
  for (const std::size_t i : normal) mixed.push_back(films[i]);
  return mixed;
}

ZoneMap zones_from(const TrainingPicture& picture) {
  return {picture.width, picture.height, picture.zones};
}

/// How two exposures of one chest may differ, the patient and the machine being the same.
AugmentOptions retake() {
  AugmentOptions options = no_augmentation();
  options.rotate_degrees = 5;
  options.shear = 0.03;
  options.shift = 0.04;
  options.zoom_in = 1.07;
  options.zoom_out = 0.94;
  options.aspect = 0.05;
  options.gamma = 0.2;
  options.tone_curve = 0.2;
  options.clip = 0.1;
  options.blur = 0.2;
  options.sharpen = 0.1;
  options.resample = 0.15;
  options.noise = 0.3;
  options.jpeg = 0.2;
  options.markers = 0.2;
  return options;
}

/// The same film taken otherwise: moved, turned, exposed and digitised differently.
TrainingPicture another_exposure(const TrainingPicture& picture, const InputSpec& spec, Random& random) {
  const Augmented bent = augment(picture, spec.width, spec.height, retake(), random);
  TrainingPicture other = whole_picture(to_image(bent.picture), picture.target);
  other.zones = bent.zones;
  return other;
}

/// The value that the share `share` of them does not exceed.
double most(std::vector<double> values, double share = kWithin) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(
                                                std::ceil(share * static_cast<double>(values.size())) - 1))];
}

/// What was said of scored films by networks that had not seen their patients.
struct OutOfFold {
  std::vector<Severity> severity;  ///< by film
  std::vector<double> score_changes;
  std::vector<double> zone_changes;
  std::vector<double> extent_changes;
};

void judge(OpacityNet& network, const std::vector<TrainingPicture>& scored,
           const std::vector<std::size_t>& held_out, const Preprocessor& preprocessor,
           const SeverityModel& model, OutOfFold& result) {
  std::vector<TrainingPicture> pictures;
  for (const std::size_t i : held_out) pictures.push_back(scored[i]);
  std::vector<OpacityMap> maps = predict_opacity(network, pictures, preprocessor);
  for (std::size_t k = 0; k < held_out.size(); ++k)
    result.severity[held_out[k]] = severity_of(model, maps[k], zones_from(pictures[k]));

  for (const std::size_t i : held_out) {
    Random random = Random(7).fork(i);
    std::vector<TrainingPicture> exposures;
    for (int e = 0; e < kExposures; ++e)
      exposures.push_back(another_exposure(scored[i], preprocessor.spec(), random));
    maps = predict_opacity(network, exposures, preprocessor);
    std::vector<Severity> said;
    for (std::size_t e = 0; e < exposures.size(); ++e) {
      maps[e].frame = {0, 0, kFilmSide, kFilmSide};
      said.push_back(severity_of(model, maps[e], zones_from(exposures[e])));
    }
    for (std::size_t e = 1; e < said.size(); ++e) {
      result.score_changes.push_back(std::abs(said[e].score - said[e - 1].score));
      result.extent_changes.push_back(std::abs(said[e].extent - said[e - 1].extent));
      for (std::size_t zone = 0; zone < kZones; ++zone)
        result.zone_changes.push_back(std::abs(said[e].zones[zone].score - said[e - 1].zones[zone].score));
    }
  }
}

std::string to_csv(const std::vector<ScoredFilm>& films, const std::vector<int>& folds,
                   const std::vector<Severity>& said) {
  std::ostringstream csv;
  csv << "file,patient,fold,score,raters,extent";
  for (const char* zone : kZoneNames) csv << ',' << zone << ",raters_" << zone;
  csv << '\n';
  for (std::size_t i = 0; i < films.size(); ++i) {
    const double total = std::accumulate(films[i].zones.begin(), films[i].zones.end(), 0.0);
    csv << csv_field(films[i].path.filename().string()) << ',' << csv_field(films[i].patient) << ','
        << folds[i] << ',' << said[i].score << ',' << total << ',' << said[i].extent;
    for (std::size_t zone = 0; zone < kZones; ++zone)
      csv << ',' << said[i].zones[zone].score << ',' << films[i].zones[zone];
    csv << '\n';
  }
  return csv.str();
}

/// Agreement with the raters, and theirs among themselves.
nlohmann::ordered_json quality_json(const std::vector<ScoredFilm>& films, const std::vector<Severity>& said,
                                    int folds) {
  std::vector<double> scores;
  std::vector<double> extents;
  std::vector<double> totals;
  std::vector<double> zones;
  std::vector<double> rated_zones;
  double error = 0;
  for (std::size_t i = 0; i < films.size(); ++i) {
    scores.push_back(said[i].score);
    extents.push_back(said[i].extent);
    totals.push_back(std::accumulate(films[i].zones.begin(), films[i].zones.end(), 0.0));
    error += std::abs(scores.back() - totals.back()) / static_cast<double>(films.size());
    for (std::size_t zone = 0; zone < kZones; ++zone) {
      zones.push_back(said[i].zones[zone].score);
      rated_zones.push_back(films[i].zones[zone]);
    }
  }
  nlohmann::ordered_json json = {
      {"films", films.size()},
      {"rule", std::to_string(folds) + " folds by patient, each judged by a network "
                                       "that had not seen its patients"},
      {"correlation", correlation(scores, totals)},
      {"zone_correlation", correlation(zones, rated_zones)},
      {"extent_correlation", correlation(extents, totals)},
      {"mean_absolute_error", error}};
  const std::size_t raters = films.front().totals.size();
  if (raters < 2) return json;
  std::vector<std::vector<double>> of_rater(raters);
  for (const ScoredFilm& film : films)
    for (std::size_t rater = 0; rater < raters; ++rater) of_rater[rater].push_back(film.totals[rater]);
  json["raters_correlation"] = correlation(of_rater[0], of_rater[1]);
  for (std::size_t rater = 0; rater < raters; ++rater)
    json["correlation_with_each_rater"].push_back(correlation(scores, of_rater[rater]));
  return json;
}

/// What the finished network says of films with and without pneumonia whose patients it never
/// saw; decides SeverityModel::hardly_normal.
nlohmann::ordered_json judge_held_out(OpacityNet& network, const Films& read,
                                      const Preprocessor& preprocessor, SeverityModel& model) {
  const std::vector<TrainingPicture> films(read.validation.begin(),
                                           read.validation.begin() + static_cast<std::ptrdiff_t>(read.first));
  const std::vector<OpacityMap> maps = predict_opacity(network, films, preprocessor);
  std::vector<double> normal;
  std::vector<double> normal_zone;  // the highest of each film
  std::vector<double> ill;
  std::vector<Severity> of_ill;
  for (std::size_t i = 0; i < films.size(); ++i) {
    const Severity said = severity_of(model, maps[i], zones_from(films[i]));
    (films[i].target == 0 ? normal : ill).push_back(said.score);
    if (films[i].target == 0)
      normal_zone.push_back(std::ranges::max(said.zones, {}, &ZoneSeverity::score).score);
    else
      of_ill.push_back(said);
  }
  model.hardly_normal = std::max(most(normal, kNormalBelow), kLeastDoubt);
  model.hardly_normal_zone = std::max(most(normal_zone, kNormalBelow), kLeastZoneDoubt);
  const auto reached = static_cast<double>(
      std::ranges::count_if(of_ill, [&](const Severity& said) { return is_hardly_normal(model, said); }));
  return {{"normal", {{"films", normal.size()}, {"median_score", most(normal, 0.5)}}},
          {"pneumonia",
           {{"films", ill.size()},
            {"median_score", most(ill, 0.5)},
            {"hardly_normal", reached / std::max(static_cast<double>(ill.size()), 1.0)}}}};
}

int severity(const SeverityArguments& arguments) {
  const std::stop_token stop = stop_on_interrupt();
  const Result<nlohmann::ordered_json> about = read_about(arguments.about);
  if (!about) return train_exit(about.error());
  auto scored = read_scored_films(arguments.scores, arguments.films);
  if (!scored) return train_exit(scored.error());
  const auto lung_model = load_lung_model(arguments.lungs);
  if (!lung_model) return train_exit(with_context(lung_model.error(), arguments.lungs));
  const auto finder = make_lung_finder(arguments.lungs, *lung_model,
                                       {.threads = arguments.train->threads, .precision = Precision::kFp32});
  if (!finder) return train_exit(with_context(finder.error(), arguments.lungs));

  const TrainOptions& train = *arguments.train;
  SeverityModel model;
  model.input.width = model.input.height = train.input_size;
  model.input.margin = arguments.margin;
  model.opaque = arguments.opaque;
  const Preprocessor preprocessor(model.input);
  const LungUse lungs{.finder = finder->get(), .masks = true, .zones = true};
  const auto pictures = read_scored(*scored, preprocessor, lungs, train.threads, stop);
  if (!pictures) return train_exit(pictures.error());
  if (scored->size() < static_cast<std::size_t>(arguments.folds))
    return train_exit({ErrorCode::kInvalidArgument, "fewer scored films than folds"});
  auto films = read_films(arguments, preprocessor, lungs, stop);
  if (!films) return train_exit(films.error());
  std::cerr << films->training.size() << " films to train on, " << films->validation.size()
            << " to validate, " << pictures->size() << " scored\n";

  const fs::path out = arguments.out;
  TrainReporter reporter("opacity", train.batch_size);
  const auto base = train_opacity(train, {.training = films->training, .validation = films->validation},
                                  preprocessor, out / "opacity", reporter.callbacks(), stop);
  reporter.clear();
  if (!base) return train_exit(base.error());

  TrainOptions scored_train = train;
  scored_train.epochs = arguments.scored_epochs;
  scored_train.learning_rate = arguments.scored_rate;
  const auto learn = [&](const std::vector<TrainingPicture>& from, const std::string& name) {
    TrainReporter fold_reporter(name, scored_train.batch_size);
    auto network = train_opacity(
        scored_train,
        {.training = mixture(from, films->training, arguments.seed), .validation = {}, .start = base->get()},
        preprocessor, out / name, fold_reporter.callbacks(), stop);
    fold_reporter.clear();
    return network;
  };
  const std::vector<int> folds = folds_by_patient(samples_of(*scored), arguments.folds, arguments.seed);
  OutOfFold result{.severity = std::vector<Severity>(scored->size())};
  for (int fold = 0; fold < arguments.folds; ++fold) {
    std::vector<TrainingPicture> others;
    std::vector<std::size_t> held_out;
    for (std::size_t i = 0; i < folds.size(); ++i) {
      if (folds[i] == fold)
        held_out.push_back(i);
      else
        others.push_back((*pictures)[i]);
    }
    const auto network = learn(others, "fold-" + std::to_string(fold + 1));
    if (!network) return train_exit(network.error());
    judge(**network, *pictures, held_out, preprocessor, model, result);
  }
  const auto network = learn(*pictures, "final");
  if (!network) return train_exit(network.error());

  std::vector<double> errors;
  for (std::size_t i = 0; i < scored->size(); ++i)
    errors.push_back(std::abs(result.severity[i].score -
                              std::accumulate((*scored)[i].zones.begin(), (*scored)[i].zones.end(), 0.0)));
  model.margins = {.score = most(errors),
                   .score_change = most(result.score_changes),
                   .zone_change = most(result.zone_changes),
                   .extent_change = most(result.extent_changes)};
  const nlohmann::ordered_json quality = quality_json(*scored, result.severity, arguments.folds);
  model.about["quality"] = quality;
  model.about["quality"]["held_out"] = judge_held_out(**network, *films, preprocessor, model);
  model.about["films"] = {{"trained_on", films->training.size()}, {"scored", scored->size()}};
  model.about["training"] = to_json(train);
  model.about["training"]["weights"] = fs::path(train.weights).filename().string();
  model.about["training"]["scored_epochs"] = arguments.scored_epochs;
  model.about["training"]["scored_rate"] = arguments.scored_rate;
  model.about.merge_patch(*about);
  if (const auto written = write_file(out / "out-of-fold.csv", to_csv(*scored, folds, result.severity));
      !written)
    return train_exit(written.error());
  const InputSpec& spec = preprocessor.spec();
  if (const auto written =
          write_severity_model(out / kSeverityFolder, model, {(*network)->to_onnx(spec.height, spec.width)});
      !written)
    return train_exit(written.error());

  std::cout << std::fixed << std::setprecision(3) << "score against the raters' mean, films of patients not "
            << "trained on: r = " << quality["correlation"].get<double>()
            << ", zones r = " << quality["zone_correlation"].get<double>()
            << ", extent r = " << quality["extent_correlation"].get<double>() << ", mean error "
            << std::setprecision(2) << quality["mean_absolute_error"].get<double>() << " of 18\n";
  if (quality.contains("raters_correlation"))
    std::cout << std::setprecision(3) << "the first two raters against each other: r = "
              << quality["raters_correlation"].get<double>() << '\n';
  std::cout << std::setprecision(2) << "nine in ten within: score " << model.margins.score
            << "; between two exposures: score " << model.margins.score_change << ", zone "
            << model.margins.zone_change << ", extent " << model.margins.extent_change << " %\n"
            << "severity model: " << (out / kSeverityFolder).string()
            << " (belongs into a model package, as its folder '" << kSeverityFolder << "')\n";
  return 0;
}

}  // namespace

void add_severity(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<SeverityArguments>();
  CLI::App* command = app.add_subcommand(
      "severity",
      "Train what tells severity: a network that finds opacity in lungs, from opacities drawn into normal "
      "films, films of pneumonia, and films whose zones radiologists scored");
  command
      ->add_option("--data", arguments->data, "Folder with NORMAL and PNEUMONIA; may be given several times")
      ->required();
  command
      ->add_option("--scores", arguments->scores,
                   "CSV with image, patient and each rater's scores of the six Brixia zones, "
                   "<rater>-A to <rater>-F")
      ->required();
  command->add_option("--films", arguments->films, "Folder with the scored films")->required();
  command->add_option("--lungs", arguments->lungs, "Folder of a lung network (xray-train lungs)")->required();
  command->add_option("--out", arguments->out, "Folder of the runs; one that was stopped goes on")
      ->required();
  command->add_option("--about", arguments->about, "JSON file with what the card is to say besides");
  command->add_option("--margin", arguments->margin, "What is kept around the lungs, as a share of their box")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      ->add_option("--opaque", arguments->opaque, "Opacity, 0 to 1, at which a place counts as half opaque")
      ->check(CLI::Range(0.01, 0.99))
      ->capture_default_str();
  command->add_option("--folds", arguments->folds, "In which the scored films are judged, divided by patient")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  command->add_option("--scored-epochs", arguments->scored_epochs, "Passes over the scored films, tenfold")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--scored-lr", arguments->scored_rate, "Peak of their learning rate")
      ->capture_default_str();
  command->add_option("--weights", arguments->train->weights,
                      "Start from these weights (scripts/convert-weights)");
  command
      ->add_option("--arch", arguments->train->architecture,
                   "efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, mobilenet-v2")
      ->capture_default_str();
  command
      ->add_option("--freeze", arguments->train->frozen,
                   "Blocks from the front that keep their starting weights")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  add_train_options(*command, arguments->train);
  command->callback([arguments, &exit_code] { exit_code = severity(*arguments); });
}

}  // namespace xray
