#include "train/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "metrics/metrics.h"
#include "train/out_of_fold.h"
#include "train/predict.h"
#include "train/start.h"

namespace xray {
namespace {

using torch::Tensor;

/// Loss weights per class: frequency^-balance, with mean 1 over the pictures.
Tensor class_weights(const std::vector<TrainingPicture>& pictures, int classes, double balance) {
  std::vector<double> counts(static_cast<std::size_t>(classes), 0.0);
  for (const TrainingPicture& picture : pictures) counts[static_cast<std::size_t>(picture.target)] += 1;
  std::vector<float> weights;
  double total = 0;
  for (const double count : counts) {
    weights.push_back(static_cast<float>(std::pow(std::max(count, 1.0), -balance)));
    total += static_cast<double>(weights.back()) * count;
  }
  for (float& weight : weights) weight *= static_cast<float>(static_cast<double>(pictures.size()) / total);
  return torch::tensor(weights);
}

EpochReport validate(Classifier& network, const std::vector<TrainingPicture>& pictures, int classes,
                     const Preprocessor& preprocessor) {
  EpochReport report;
  const std::vector<float> logits = predict_logits(network, pictures, preprocessor);
  std::vector<ScoredCase> cases;
  double loss = 0;
  std::size_t right = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto width = static_cast<std::size_t>(classes);
    const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * width);
    const std::vector<double> probabilities = softmax({row, row + static_cast<std::ptrdiff_t>(width)});
    const auto target = static_cast<std::size_t>(pictures[i].target);
    loss -= std::log(std::max(probabilities[target], 1e-12));
    right += static_cast<std::size_t>(std::max_element(probabilities.begin(), probabilities.end()) -
                                          probabilities.begin() ==
                                      static_cast<std::ptrdiff_t>(target));
    cases.push_back({target != 0, 1 - probabilities[0]});
  }
  report.validation_loss = loss / static_cast<double>(pictures.size());
  report.validation = {{"AUC", auc(cases)},
                       {"accuracy", static_cast<double>(right) / static_cast<double>(pictures.size())}};
  return report;
}

}  // namespace

void network_input(const TrainingPicture& picture, const Preprocessor& preprocessor, std::span<float> input) {
  const Image image(picture.width, picture.height, Image::Pixels8(picture.pixels));
  const InputSpec& spec = preprocessor.spec();
  const Plane plane = resize(image, picture.frame, spec.width, spec.height);
  std::copy(plane.values.begin(), plane.values.end(), input.begin());
  preprocessor.normalise(input);
}

std::vector<float> predict_logits(Classifier& network, const std::vector<TrainingPicture>& pictures,
                                  const Preprocessor& preprocessor) {
  std::vector<float> all;
  predict_batches(network, pictures, preprocessor, [&](std::size_t, const Tensor& logits) {
    const float* data = logits.const_data_ptr<float>();
    all.insert(all.end(), data, data + logits.numel());
  });
  return all;
}

Result<std::shared_ptr<Classifier>> train(const TrainOptions& options, int classes,
                                          const std::vector<TrainingPicture>& training,
                                          const std::vector<TrainingPicture>& validation,
                                          const Preprocessor& preprocessor, const std::filesystem::path& run,
                                          const TrainCallbacks& callbacks, const std::stop_token& stop) {
  const Result<Architecture> architecture = find_architecture(options.architecture, options.scale);
  if (!architecture) return architecture.error();
  if (const Result<Done> checked = check_machine(options); !checked) return checked.error();
  if (training.size() < static_cast<std::size_t>(options.batch_size))
    return Error{ErrorCode::kInvalidArgument, "fewer pictures to train on than one batch takes"};

  const torch::Device device(options.device);
  const InputSpec& spec = preprocessor.spec();
  const NetworkOptions network_options{.classes = classes,
                                       .dropout = options.dropout,
                                       .frozen = options.frozen,
                                       .drop_path = options.drop_path,
                                       .height = spec.height,
                                       .width = spec.width};
  const BatchLoader::Options loader_options{.batch_size = options.batch_size,
                                            .threads = options.loader_threads,
                                            .seed = options.seed,
                                            .augment = options.augment};
  BatchLoader loader(training, preprocessor, loader_options);
  const Tensor weights = class_weights(training, classes, options.class_balance).to(device);
  const auto loss_options = torch::nn::functional::CrossEntropyFuncOptions().weight(weights).label_smoothing(
      options.label_smoothing);
  const bool bf16 = use_bf16(options);

  TrainTask task;
  task.make = [&] { return make_classifier(*architecture, network_options); };
  if (!options.weights.empty()) {
    task.start = [&](torch::nn::Module& module) -> Result<Done> {
      return start_from(options.weights, dynamic_cast<Classifier&>(module), training, preprocessor,
                        loader_options);
    };
  }
  task.steps_per_epoch = loader.batches_per_epoch();
  task.loss = [&](torch::nn::Module& module, std::int64_t step) {
    Batch batch = loader.next(step);
    const std::size_t count = batch.targets.size();
    const auto rows = static_cast<std::int64_t>(count);
    const Tensor inputs = input_tensor(batch.inputs, count, spec, device);
    // Probabilities of teachers are what is taught where there are any, else the class.
    const Tensor targets = (batch.soft.empty() ? torch::from_blob(batch.targets.data(), {rows}, torch::kLong)
                                               : torch::from_blob(batch.soft.data(), {rows, classes}))
                               .clone()
                               .to(device);
    Tensor logits;
    {
      const Autocast autocast(device.type(), bf16);
      logits = dynamic_cast<Classifier&>(module).forward(inputs).to(torch::kFloat);
    }
    if (!batch.offset.empty())
      logits = logits + torch::from_blob(batch.offset.data(), {rows, classes}).clone().to(device);
    return torch::nn::functional::cross_entropy(logits, targets, loss_options);
  };
  if (!validation.empty())
    task.validate = [&](torch::nn::Module& average) {
      return validate(dynamic_cast<Classifier&>(average), validation, classes, preprocessor);
    };
  task.loader_wait = [&] { return loader.waited_share(); };

  const Result<std::shared_ptr<torch::nn::Module>> network = run_loop(options, task, run, callbacks, stop);
  if (!network) return network.error();
  return std::dynamic_pointer_cast<Classifier>(*network);
}

}  // namespace xray
