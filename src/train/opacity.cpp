#include "train/opacity.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "metrics/curves.h"
#include "train/predict.h"
#include "train/start.h"

namespace xray {
namespace {

using torch::Tensor;

/// Share of the lungs' cells, the most opaque, by which a whole film is called opaque or not.
constexpr std::int64_t kTopShare = 12;
// Weights in the loss: what is known of every cell counts most, of a whole film least.
constexpr double kCellWeight = 3;
constexpr double kFilmWeight = 0.3;
constexpr double kZoneWeight = 3;

/// Means over the cells of the network's grid.
Tensor at_cells(const Tensor& pixels, const Tensor& like) {
  return torch::adaptive_avg_pool2d(pixels, {like.size(-2), like.size(-1)});
}

/// Mean log-odds of the most opaque cells among those that are mostly lung, per picture.
Tensor film_log_odds(const Tensor& log_odds, const Tensor& lung) {
  constexpr double kNever = -20;
  const Tensor inside = torch::where(lung > 0.3, log_odds, torch::full_like(log_odds, kNever)).flatten(1);
  const std::int64_t count = std::max<std::int64_t>(inside.size(1) / kTopShare, 1);
  return std::get<0>(inside.topk(count, 1)).mean(1);
}

Tensor mean_where(const Tensor& values, const Tensor& weights) {
  return (values * weights).sum() / weights.sum().clamp_min(1e-3);
}

Tensor loss_of(const Tensor& log_odds, Batch& batch, const InputSpec& spec, const torch::Device& device) {
  const auto count = static_cast<std::int64_t>(batch.targets.size());
  const Tensor zones = torch::from_blob(batch.zones.data(), {count, spec.height, spec.width}, torch::kUInt8)
                           .clone()
                           .to(device);
  const Tensor lung = at_cells((zones > 0).to(torch::kFloat).unsqueeze(1), log_odds).squeeze(1);
  const Tensor known = torch::from_blob(batch.opacity_known.data(), {count}).clone().to(device);

  // Normal films, drawn on or not. Beside the lungs there is nothing to find either.
  const Tensor opacity =
      at_cells(input_tensor(batch.opacity, static_cast<std::size_t>(count), spec, device), log_odds)
          .squeeze(1);
  const Tensor cells =
      torch::binary_cross_entropy_with_logits(log_odds, opacity, {}, {}, torch::Reduction::None);
  Tensor loss = kCellWeight * mean_where(cells, (lung + 0.3) * known.view({-1, 1, 1}));

  // Whole films, but for those drawn on, whose cells tell more.
  const Tensor drawn = (opacity.flatten(1).amax(1) > 0).to(torch::kFloat);
  const Tensor ill =
      torch::from_blob(batch.targets.data(), {count}, torch::kLong).clone().to(device).to(torch::kFloat);
  const Tensor films = torch::binary_cross_entropy_with_logits(film_log_odds(log_odds, lung), ill, {}, {},
                                                               torch::Reduction::None);
  loss = loss + kFilmWeight * mean_where(films, 1 - drawn);

  const Tensor scores = torch::from_blob(batch.zone_scores.data(), {count, static_cast<std::int64_t>(kZones)})
                            .clone()
                            .to(device);
  const Tensor scored = (scores.amin(1) >= 0).to(torch::kFloat);
  const Tensor score_map = kFullZoneScore * torch::sigmoid(log_odds);
  std::vector<Tensor> means;
  for (std::size_t zone = 1; zone <= kZones; ++zone) {
    const Tensor share =
        at_cells((zones == static_cast<std::int64_t>(zone)).to(torch::kFloat).unsqueeze(1), log_odds)
            .squeeze(1);
    means.push_back((score_map * share).sum({1, 2}) / share.sum({1, 2}).clamp_min(1e-3));
  }
  const Tensor error = torch::stack(means, 1) - scores;
  return loss + kZoneWeight * mean_where(error.square().mean(1) + error.mean(1).square(), scored);
}

EpochReport validate(OpacityNet& network, const std::vector<TrainingPicture>& pictures,
                     const Preprocessor& preprocessor) {
  std::vector<ScoredCase> cases;
  const std::vector<OpacityMap> maps = predict_opacity(network, pictures, preprocessor);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    std::vector<float> cells = maps[i].opacity;
    const std::size_t top = std::max<std::size_t>(cells.size() / kTopShare, 1);
    std::ranges::partial_sort(cells, cells.begin() + static_cast<std::ptrdiff_t>(top), std::greater<>());
    double sum = 0;
    for (std::size_t k = 0; k < top; ++k) sum += static_cast<double>(cells[k]);
    cases.push_back({pictures[i].target != 0, sum / static_cast<double>(top)});
  }
  EpochReport report;
  const double area = auc(cases);
  report.validation_loss = 1 - area;
  report.validation = {{"AUC", area}};
  return report;
}

}  // namespace

TrainOptions opacity_train_options() {
  TrainOptions options;
  options.architecture = "mobilenet-v2";
  options.input_size = 128;
  options.frozen = 3;
  options.epochs = 5;
  options.learning_rate = 1e-3;
  options.weight_decay = 0.02;
  options.drop_path = 0;
  AugmentOptions& augment = options.augment;
  augment.shift = 0.1;
  augment.zoom_out = 0.8;
  augment.gamma = 0.45;
  augment.tone_curve = 0.4;
  augment.clip = 0.3;
  augment.blur = 0.25;
  augment.sharpen = 0.15;
  augment.resample = 0.25;
  augment.noise = 0.4;
  augment.border = 0.25;
  augment.erase = 0.3;
  augment.consolidation = 0.67;
  return options;
}

std::vector<OpacityMap> predict_opacity(OpacityNet& network, const std::vector<TrainingPicture>& pictures,
                                        const Preprocessor& preprocessor) {
  std::vector<OpacityMap> maps;
  predict_batches(network, pictures, preprocessor, [&](std::size_t begin, const Tensor& log_odds) {
    const Tensor opacity = torch::sigmoid(log_odds);
    const auto cells = static_cast<std::size_t>(opacity.size(1) * opacity.size(2));
    for (std::size_t i = 0; i < static_cast<std::size_t>(opacity.size(0)); ++i) {
      const float* first = opacity.const_data_ptr<float>() + i * cells;
      maps.push_back({.width = static_cast<int>(opacity.size(2)),
                      .height = static_cast<int>(opacity.size(1)),
                      .opacity = {first, first + cells},
                      .frame = pictures[begin + i].frame});
    }
  });
  return maps;
}

Result<std::shared_ptr<OpacityNet>> train_opacity(const TrainOptions& options, const OpacityTask& films,
                                                  const Preprocessor& preprocessor,
                                                  const std::filesystem::path& run,
                                                  const TrainCallbacks& callbacks,
                                                  const std::stop_token& stop) {
  const Result<Architecture> architecture = find_architecture(options.architecture);
  if (!architecture) return architecture.error();
  if (architecture->plain())
    return Error{ErrorCode::kInvalidArgument, options.architecture + ": has no stages to find opacity in"};
  if (const Result<Done> checked = check_machine(options); !checked) return checked.error();
  if (films.training.size() < static_cast<std::size_t>(options.batch_size))
    return Error{ErrorCode::kInvalidArgument, "fewer pictures to train on than one batch takes"};

  const torch::Device device(options.device);
  const InputSpec& spec = preprocessor.spec();
  const BatchLoader::Options loader_options{.batch_size = options.batch_size,
                                            .threads = options.loader_threads,
                                            .seed = options.seed,
                                            .augment = options.augment};
  BatchLoader loader(films.training, preprocessor, loader_options);
  const bool bf16 = use_bf16(options);

  TrainTask task;
  task.make = [&] { return make_opacity_net(*architecture, options.frozen, options.drop_path); };
  if (films.start != nullptr) {
    task.start = [&](torch::nn::Module& module) -> Result<Done> {
      mix_weights(module, *films.start, 0);
      return Done{};
    };
  } else if (!options.weights.empty()) {
    task.start = [&](torch::nn::Module& module) -> Result<Done> {
      return start_from(options.weights, dynamic_cast<OpacityNet&>(module), films.training, preprocessor,
                        loader_options);
    };
  }
  task.steps_per_epoch = loader.batches_per_epoch();
  task.loss = [&](torch::nn::Module& module, std::int64_t step) {
    Batch batch = loader.next(step);
    const Tensor inputs = input_tensor(batch.inputs, batch.targets.size(), spec, device);
    Tensor log_odds;
    {
      const Autocast autocast(device.type(), bf16);
      log_odds = dynamic_cast<OpacityNet&>(module).forward(inputs).to(torch::kFloat);
    }
    return loss_of(log_odds, batch, spec, device);
  };
  if (!films.validation.empty())
    task.validate = [&](torch::nn::Module& average) {
      return validate(dynamic_cast<OpacityNet&>(average), films.validation, preprocessor);
    };
  task.loader_wait = [&] { return loader.waited_share(); };

  const Result<std::shared_ptr<torch::nn::Module>> network = run_loop(options, task, run, callbacks, stop);
  if (!network) return network.error();
  return std::dynamic_pointer_cast<OpacityNet>(*network);
}

}  // namespace xray
