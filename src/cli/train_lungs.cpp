#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <numeric>
#include <set>

#include "cli/train_commands.h"
#include "cli/train_common.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "dataset/dataset.h"
#include "model/lungs.h"
#include "train/lungs.h"
#include "train/picture_set.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

struct LungArguments {
  std::vector<std::string> films;
  std::vector<std::string> masks;
  std::string out;
  std::uint64_t split_seed = 1;
  std::shared_ptr<TrainOptions> train = std::make_shared<TrainOptions>(lung_train_options());
};

/// Dice of one group of films.
struct GroupDice {
  std::vector<double> scores;
  double mean() const {
    return std::accumulate(scores.begin(), scores.end(), 0.0) / static_cast<double>(scores.size());
  }
  /// The value that a share `share` of the films stays below.
  double quantile(double share) const {
    std::vector<double> sorted = scores;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  }
};

nlohmann::ordered_json quality_json(const std::map<std::string, GroupDice>& groups) {
  nlohmann::ordered_json json;
  for (const auto& [name, dice] : groups)
    json[name] = {{"films", dice.scores.size()},
                  {"dice", dice.mean()},
                  {"dice_lowest_tenth", dice.quantile(0.1)},
                  {"dice_lowest", dice.quantile(0)}};
  return json;
}

int lungs(const LungArguments& arguments) {
  const std::stop_token stop = stop_on_interrupt();
  if (arguments.films.size() != arguments.masks.size())
    return train_exit(
        {ErrorCode::kInvalidArgument, "as many --masks as --films are needed, in the same order"});

  std::vector<LungSample> samples;
  for (std::size_t i = 0; i < arguments.films.size(); ++i) {
    const auto found = find_lung_samples(arguments.films[i], arguments.masks[i]);
    if (!found) return train_exit(found.error());
    samples.insert(samples.end(), found->begin(), found->end());
  }
  std::vector<Sample> named;
  for (const LungSample& sample : samples)
    named.push_back({.path = sample.film, .group = sample.group, .patient = sample.patient});
  const std::vector<Split> splits =
      split_by_patient(named, {.train = 0.85, .validation = 0.05, .test = 0.1}, arguments.split_seed);

  const TrainOptions& train = *arguments.train;
  const Preprocessor preprocessor({.width = train.input_size, .height = train.input_size});
  std::map<Split, std::vector<LungSample>> sides;
  for (std::size_t i = 0; i < samples.size(); ++i) sides[splits[i]].push_back(samples[i]);
  std::map<Split, PictureSet> sets;
  {
    Progress progress("reading", samples.size());
    for (const auto& [split, side] : sides) {
      auto set = load_lung_pictures(side, preprocessor, train.threads, [&] { progress.advance(); }, stop);
      if (!set) return train_exit(set.error());
      for (const std::string& reason : set->unreadable) std::cerr << "left out: " << reason << '\n';
      sets.emplace(split, std::move(*set));
    }
  }
  std::cerr << sets[Split::kTrain].pictures.size() << " films to train on, "
            << sets[Split::kValidation].pictures.size() << " to validate, "
            << sets[Split::kTest].pictures.size() << " kept for a last test\n";

  TrainReporter reporter("training", train.batch_size);
  const auto network = train_lungs(train, sets[Split::kTrain].pictures, sets[Split::kValidation].pictures,
                                   preprocessor, arguments.out, reporter.callbacks(), stop);
  reporter.clear();
  if (!network) return train_exit(network.error());

  const PictureSet& test = sets[Split::kTest];
  const std::vector<double> dice = lung_dice(**network, test.pictures, preprocessor);
  std::map<std::string, GroupDice> groups;
  for (std::size_t i = 0; i < dice.size(); ++i)
    groups[sides[Split::kTest][test.sample_index[i]].group].scores.push_back(dice[i]);

  LungModel model;
  model.input = preprocessor.spec();
  model.about["quality"] = quality_json(groups);
  model.about["training"] = to_json(train);
  model.about["films"] = {{"train", sets[Split::kTrain].pictures.size()},
                          {"validation", sets[Split::kValidation].pictures.size()},
                          {"test", test.pictures.size()},
                          {"split_rule", "by patient, 85/5/10 within each group"},
                          {"split_seed", arguments.split_seed}};
  const fs::path package = fs::path(arguments.out) / "package";
  const InputSpec& spec = preprocessor.spec();
  const auto written = write_lung_model(package, model, {(*network)->to_onnx(spec.height, spec.width)});
  if (!written) return train_exit(written.error());

  std::cout << "Dice on films of patients not trained on (mean, lowest tenth, lowest):\n" << std::fixed;
  for (const auto& [name, group] : groups)
    std::cout << "  " << std::left << std::setw(12) << name << std::right << std::setw(6)
              << group.scores.size() << " films  " << std::setprecision(4) << group.mean() << "  "
              << group.quantile(0.1) << "  " << group.quantile(0) << '\n';
  std::cout << "lung network: " << package.string() << '\n';
  return 0;
}

}  // namespace

void add_lungs(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<LungArguments>();
  CLI::App* command = app.add_subcommand(
      "lungs", "Train the lung field: the network that finds the lungs on a film, from films with masks");
  command->add_option("--films", arguments->films, "Folder with films; may be given several times")
      ->required();
  command
      ->add_option("--masks", arguments->masks,
                   "Folder with their masks, the same paths below it; as often as --films")
      ->required();
  command->add_option("--out", arguments->out, "Folder of the run; one that was stopped goes on")->required();
  command->add_option("--split-seed", arguments->split_seed, "Of the split by patient")
      ->capture_default_str();
  add_train_options(*command, arguments->train);
  command->callback([arguments, &exit_code] { exit_code = lungs(*arguments); });
}

}  // namespace xray
