#include "cli/train_data.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <utility>

#include "cli/train_common.h"
#include "common/file.h"
#include "common/progress.h"

namespace xray {

void add_classifier_options(CLI::App& command, const std::shared_ptr<ClassifierArguments>& arguments) {
  TrainOptions& train = arguments->train;
  command.add_option("--data", arguments->data, "Folder with the pictures")->required();
  command.add_option("--extra", arguments->extra,
                     "Folder with films (NORMAL, PNEUMONIA) to train on besides, never measured on");
  command.add_option("--lungs", arguments->lungs,
                     "Folder of a lung network (xray-train lungs): films are cropped to their lungs");
  command
      .add_option("--margin", arguments->input.margin,
                  "With --lungs: what is kept around them, as a share of their box")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--tone", arguments->input.tone,
                  "With --lungs: gray levels by those in the lungs, stretch or equalise")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Tone>{{"stretch", Tone::kStretch}, {"equalise", Tone::kEqualise}}));
  command
      .add_option("--confounder", arguments->confounder,
                  "Out-of-fold scores of a network that saw no lungs (crossval --hide-lungs). What they tell "
                  "is handed to the network while it trains, which so learns the rest")
      ->check(CLI::ExistingFile);
  command
      .add_option("--confounder-share", arguments->confounder_share,
                  "How much of that; 0: only measure how well the classes are told apart beyond it")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option(
          "--teacher", train.teachers,
          "Folder of a finished run of this command, of the same films, input and lungs: what its "
          "network says of each bent picture is taught instead of the label; of several, given one by "
          "one, the mean")
      ->check(CLI::ExistingDirectory)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--soup", train.soup,
                  "Folder of a finished run of this command, of the same films, input, lungs and --arch: "
                  "training starts from its weights, of several, given one by one, from their mean")
      ->check(CLI::ExistingDirectory)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--classes", arguments->classes, "2 or 3; 3 tells bacterial from viral")
      ->check(CLI::IsMember({2, 3}));
  command
      .add_option("--arch", train.architecture,
                  "cnn3, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, mobilenet-v2")
      ->capture_default_str();
  command.add_option("--width", train.scale.width, "Factor on the widths of the mobile networks")
      ->capture_default_str();
  command.add_option("--depth", train.scale.depth, "Factor on their blocks per stage")->capture_default_str();
  command.add_option("--convolutions", train.scale.convolutions, "Of cnn3")->capture_default_str();
  command.add_option("--filters", train.scale.filters, "Of cnn3's first convolution, doubled in each next")
      ->capture_default_str();
  command.add_option("--kernel", train.scale.kernel, "Side of cnn3's convolutions, odd")
      ->capture_default_str();
  command.add_option("--dense", train.scale.dense, "Units of cnn3's dense layer")->capture_default_str();
  command
      .add_option("--max-parameters", train.max_parameters,
                  "Refuse a network with more weights than this (exit code 3); 0: none")
      ->capture_default_str();
  command.add_option("--weights", train.weights, "Start from these weights (scripts/convert-weights)");
  command.add_option("--freeze", train.frozen, "Blocks from the front that keep their starting weights")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command
      .add_option("--label-smoothing", train.label_smoothing, "Share of the target spread over all classes")
      ->capture_default_str();
  command.add_option("--balance", train.class_balance, "Class balance in the loss: 0 none, 1 full")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--dropout", train.dropout, "Before the classifier; negative: the architecture's own")
      ->capture_default_str();
  command.add_option("--drop-path", train.drop_path, "Chance to skip the last residual block")
      ->capture_default_str();
  // Shares the lifetime of the whole.
  add_train_options(command, std::shared_ptr<TrainOptions>(arguments, &train));
}

std::vector<TrainingPicture> TrainingData::select(const std::function<bool(std::size_t film)>& wanted) const {
  std::vector<TrainingPicture> chosen;
  for (std::size_t film = 0; film < films.pictures.size(); ++film)
    if (wanted(film)) chosen.push_back(films.pictures[film]);
  return chosen;
}

std::set<std::size_t> TrainingData::samples_of(const std::function<bool(std::size_t film)>& wanted) const {
  std::set<std::size_t> samples;
  for (std::size_t film = 0; film < films.pictures.size(); ++film)
    if (wanted(film)) samples.insert(films.sample_index[film]);
  return samples;
}

std::vector<TrainingPicture> TrainingData::select_training(
    const std::function<bool(std::size_t film)>& wanted) const {
  std::vector<TrainingPicture> chosen = select(wanted);
  chosen.insert(chosen.end(), extra.begin(), extra.end());
  return chosen;
}

std::vector<FoldScore> score_films(Classifier& network, const TrainingData& data,
                                   const std::function<bool(std::size_t film)>& wanted, int fold,
                                   const Preprocessor& preprocessor) {
  std::vector<FoldScore> scores;
  for (std::size_t film = 0; film < data.films.pictures.size(); ++film)
    if (wanted(film)) scores.push_back({.sample = data.films.sample_index[film], .fold = fold});
  const std::vector<float> logits = predict_logits(network, data.select(wanted), preprocessor);
  auto row = logits.begin();
  for (FoldScore& score : scores) {
    score.logits.assign(row, row + data.classes);
    row += data.classes;
  }
  return scores;
}

namespace {

void one_hot(TrainingPicture& picture, int classes) {
  picture.soft.assign(static_cast<std::size_t>(classes), 0);
  picture.soft[static_cast<std::size_t>(picture.target)] = 1;
}

/// Reads the films of --extra. Pneumonia of unknown kind is taught as either kind.
Result<Done> read_extra(const std::string& folder, TrainingData& data, const LungUse& lungs, int threads,
                        const std::stop_token& stop) {
  Result<Dataset> dataset = scan_dataset(folder);
  if (!dataset) return with_context(dataset.error(), folder);
  // Read as two classes, which every film has.
  Progress progress("reading more", dataset->samples.size());
  Result<PictureSet> films = load_pictures(
      dataset->samples, 2, Preprocessor(data.input), lungs, threads, [&] { progress.advance(); }, stop);
  if (!films) return films.error();
  progress.clear();
  for (const std::string& reason : films->unreadable) std::cerr << "left out: " << reason << '\n';
  for (std::size_t i = 0; i < films->pictures.size(); ++i) {
    TrainingPicture picture = std::move(films->pictures[i]);
    const int known = class_of(dataset->samples[films->sample_index[i]], data.classes);
    if (known >= 0) picture.target = known;
    one_hot(picture, data.classes);
    if (known < 0) picture.soft = {0, 0.5F, 0.5F};
    data.extra.push_back(std::move(picture));
  }
  return Done{};
}

/// A product of experts (Hinton 2002; against shortcuts Clark et al. 2019): the loss sees the
/// network's logits plus what the confounder alone makes of the film, so what the confounder
/// explains teaches nothing. The network is used without it.
void offset_by(const std::vector<FoldScore>& confounder, double share, TrainingData& data) {
  const auto score_of = by_sample(confounder);
  for (std::size_t film = 0; film < data.films.pictures.size(); ++film) {
    std::vector<float>& offset = data.films.pictures[film].offset;
    for (const double p : softmax(score_of.at(data.films.sample_index[film])->logits))
      offset.push_back(static_cast<float>(share * std::log(std::max(p, 1e-6))));
  }
  for (TrainingPicture& picture : data.extra)
    picture.offset.assign(static_cast<std::size_t>(data.classes), 0);
}

}  // namespace

Result<TrainingData> read_training_data(const ClassifierArguments& arguments, const std::stop_token& stop) {
  // The teachers' word is all that the network learns from.
  if (!arguments.train.teachers.empty() && !arguments.confounder.empty() && arguments.confounder_share > 0)
    return Error{ErrorCode::kInvalidArgument,
                 "--teacher leaves --confounder nothing to correct; with --confounder-share 0 it measures"};
  Result<Dataset> dataset = scan_dataset(arguments.data);
  if (!dataset) return with_context(dataset.error(), arguments.data);
  TrainingData data{.dataset = std::move(*dataset)};
  for (const std::string& warning : data.dataset.warnings) std::cerr << "warning: " << warning << '\n';
  const std::vector<Sample>& samples = data.dataset.samples;
  data.classes = arguments.classes;
  if (data.classes == 0) {
    const auto has = [&](Subtype subtype) {
      return std::any_of(samples.begin(), samples.end(),
                         [&](const Sample& s) { return s.subtype == subtype; });
    };
    data.classes = has(Subtype::kBacterial) && has(Subtype::kViral) ? 3 : 2;
  }

  data.input = arguments.input;
  data.input.width = data.input.height = arguments.train.input_size;
  std::unique_ptr<LungFinder> finder;
  if (!arguments.lungs.empty()) {
    const std::filesystem::path folder = arguments.lungs;
    auto model = load_lung_model(folder);
    if (!model) return with_context(model.error(), arguments.lungs);
    auto network = read_text(folder / model->network.fp32.name);
    if (!network) return with_context(network.error(), arguments.lungs);
    auto made = make_lung_finder(folder, *model, {.threads = arguments.train.threads});
    if (!made) return with_context(made.error(), arguments.lungs);
    finder = std::move(*made);
    data.input.framing = arguments.hide_lungs ? Framing::kFilm : Framing::kLungs;
    data.lungs = std::move(*model);
    data.lung_network = std::move(*network);
  }

  const AugmentOptions& augment = arguments.train.augment;
  const LungUse lungs{.finder = finder.get(),
                      .hide = arguments.hide_lungs,
                      .masks = augment.surroundings > 0 || augment.opacity > 0 || augment.consolidation > 0};
  Progress progress("reading", samples.size());
  Result<PictureSet> films = load_pictures(
      samples, data.classes, Preprocessor(data.input), lungs, arguments.train.threads,
      [&] { progress.advance(); }, stop);
  if (!films) return films.error();
  data.films = std::move(*films);
  progress.clear();
  for (const std::string& reason : data.films.unreadable) std::cerr << "left out: " << reason << '\n';
  // Soft targets throughout, which a film that is consolidated needs, and films of unknown kind.
  if (augment.consolidation > 0 || !arguments.extra.empty())
    for (TrainingPicture& picture : data.films.pictures) one_hot(picture, data.classes);
  if (!arguments.extra.empty()) {
    if (const auto added = read_extra(arguments.extra, data, lungs, arguments.train.threads, stop); !added)
      return added.error();
  }
  if (!arguments.confounder.empty()) {
    auto scores = read_fold_scores(arguments.confounder, data.dataset, data.classes);
    if (!scores) return scores.error();
    data.confounder = std::move(*scores);
    if (arguments.confounder_share > 0) offset_by(data.confounder, arguments.confounder_share, data);
  }
  return data;
}

}  // namespace xray
