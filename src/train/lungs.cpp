#include "train/lungs.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>

#include "train/predict.h"

namespace xray {
namespace {

using torch::Tensor;

/// The mask as the network is to see it, 0..255.
Plane mask_of(const TrainingPicture& picture, const InputSpec& spec) {
  return resize(Image(picture.width, picture.height, Image::Pixels8(picture.mask)), picture.frame, spec.width,
                spec.height);
}

}  // namespace

TrainOptions lung_train_options() {
  TrainOptions options;
  options.architecture = "lung-field";
  options.input_size = kLungInput;
  options.epochs = 24;
  options.learning_rate = 4e-3;
  options.weight_decay = 0.02;
  options.ema = 0.995;
  AugmentOptions& augment = options.augment;
  augment.rotate_degrees = 20;
  augment.shear = 0.12;
  augment.shift = 0.12;
  augment.zoom_in = 1.35;
  augment.zoom_out = 0.7;
  augment.aspect = 0.25;
  augment.erase = 0.15;
  augment.opacity = 0.35;
  return options;
}

std::vector<double> lung_dice(LungNet& network, const std::vector<TrainingPicture>& pictures,
                              const Preprocessor& preprocessor) {
  const std::size_t size = preprocessor.input_size();
  std::vector<double> scores;
  predict_batches(network, pictures, preprocessor, [&](std::size_t begin, const Tensor& logits) {
    const float* row = logits.const_data_ptr<float>();
    for (std::size_t i = 0; i < static_cast<std::size_t>(logits.size(0)); ++i, row += size) {
      const Plane mask = mask_of(pictures[begin + i], preprocessor.spec());
      std::size_t found = 0;
      std::size_t wanted = 0;
      std::size_t both = 0;
      for (std::size_t p = 0; p < size; ++p) {
        const bool is = row[p] > 0;
        const bool should = mask.values[p] > 127.5F;
        found += static_cast<std::size_t>(is);
        wanted += static_cast<std::size_t>(should);
        both += static_cast<std::size_t>(is && should);
      }
      scores.push_back(
          found + wanted == 0 ? 1.0 : 2.0 * static_cast<double>(both) / static_cast<double>(found + wanted));
    }
  });
  return scores;
}

Result<std::shared_ptr<LungNet>> train_lungs(const TrainOptions& options,
                                             const std::vector<TrainingPicture>& training,
                                             const std::vector<TrainingPicture>& validation,
                                             const Preprocessor& preprocessor,
                                             const std::filesystem::path& run,
                                             const TrainCallbacks& callbacks, const std::stop_token& stop) {
  if (const Result<Done> checked = check_machine(options); !checked) return checked.error();
  if (training.size() < static_cast<std::size_t>(options.batch_size))
    return Error{ErrorCode::kInvalidArgument, "fewer pictures to train on than one batch takes"};

  const torch::Device device(options.device);
  const InputSpec& spec = preprocessor.spec();
  BatchLoader loader(training, preprocessor,
                     {.batch_size = options.batch_size,
                      .threads = options.loader_threads,
                      .seed = options.seed,
                      .augment = options.augment});
  const bool bf16 = use_bf16(options);

  TrainTask task;
  task.make = [] { return make_lung_net(); };
  task.steps_per_epoch = loader.batches_per_epoch();
  task.loss = [&](torch::nn::Module& module, std::int64_t step) {
    Batch batch = loader.next(step);
    const std::size_t count = batch.targets.size();
    const Tensor inputs = input_tensor(batch.inputs, count, spec, device);
    const Tensor masks = input_tensor(batch.masks, count, spec, device);
    Tensor logits;
    {
      const Autocast autocast(device.type(), bf16);
      logits = dynamic_cast<LungNet&>(module).forward(inputs).to(torch::kFloat);
    }
    const Tensor found = torch::sigmoid(logits);
    const Tensor overlap = (found * masks).sum({1, 2, 3});
    const Tensor dice = (2 * overlap + 1) / (found.sum({1, 2, 3}) + masks.sum({1, 2, 3}) + 1);
    return torch::binary_cross_entropy_with_logits(logits, masks) + (1 - dice).mean();
  };
  if (!validation.empty())
    task.validate = [&](torch::nn::Module& average) {
      const std::vector<double> dice = lung_dice(dynamic_cast<LungNet&>(average), validation, preprocessor);
      const double mean = std::accumulate(dice.begin(), dice.end(), 0.0) / static_cast<double>(dice.size());
      EpochReport report;
      report.validation_loss = 1 - mean;
      report.validation = {{"Dice", mean}};
      return report;
    };
  task.loader_wait = [&] { return loader.waited_share(); };

  const Result<std::shared_ptr<torch::nn::Module>> network = run_loop(options, task, run, callbacks, stop);
  if (!network) return network.error();
  return std::dynamic_pointer_cast<LungNet>(*network);
}

}  // namespace xray
