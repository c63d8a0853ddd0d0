#include "train/trainer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "common/file.h"
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

using Teachers = std::vector<std::shared_ptr<Classifier>>;

Result<Teachers> read_teachers(const TrainOptions& options, int classes, const InputSpec& input) {
  Teachers teachers;
  for (const std::string& run : options.teachers) {
    auto teacher = read_run(run, classes, input);
    if (!teacher) return teacher.error();
    (*teacher)->to(torch::Device(options.device));
    teachers.push_back(std::move(*teacher));
  }
  return teachers;
}

/// The mean of the networks of `runs` into `network`.
Result<Done> start_from_soup(const std::vector<std::string>& runs, Classifier& network, int classes,
                             const InputSpec& input) {
  double before = 0;
  for (const std::string& run : runs) {
    const auto kept = read_run(run, classes, input);
    if (!kept) return kept.error();
    if (!alike(network, **kept))
      return Error{ErrorCode::kInvalidArgument, run + ": its network is of another architecture"};
    mix_weights(network, **kept, before / (before + 1));
    before += 1;
  }
  return Done{};
}

/// The normalised geometric mean of what the teachers say, which is the mean of their log-odds.
Tensor taught_by(const Teachers& teachers, const Tensor& inputs) {
  const torch::NoGradGuard no_grad;
  Tensor sum;
  for (const std::shared_ptr<Classifier>& teacher : teachers) {
    const Tensor logits = teacher->forward(inputs).to(torch::kFloat);
    sum = sum.defined() ? sum + logits : logits;
  }
  return torch::softmax(sum / static_cast<double>(teachers.size()), 1);
}

}  // namespace

Result<std::shared_ptr<Classifier>> read_run(const std::filesystem::path& run, int classes,
                                             const InputSpec& input) {
  const Result<std::string> text = read_text(run / "config.json");
  if (!text) return with_context(text.error(), (run / "config.json").string());
  const auto options = train_options_from_json(nlohmann::ordered_json::parse(*text, nullptr, false));
  if (!options) return with_context(options.error(), run.string());
  const auto architecture = find_architecture(options->architecture, options->scale);
  if (!architecture) return with_context(architecture.error(), run.string());
  if (options->input_size != input.width || options->input_size != input.height)
    return Error{ErrorCode::kInvalidArgument, run.string() + ": its network sees " +
                                                  std::to_string(options->input_size) + " pixels, this one " +
                                                  std::to_string(input.width)};
  auto network = make_classifier(*architecture, {.classes = classes,
                                                 .dropout = options->dropout,
                                                 .frozen = options->frozen,
                                                 .drop_path = options->drop_path,
                                                 .height = input.height,
                                                 .width = input.width});
  if (const auto loaded = load_kept(*network, run, options->patience > 0); !loaded) return loaded.error();
  return network;
}

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
  const Result<Teachers> teachers = read_teachers(options, classes, preprocessor.spec());
  if (!teachers) return teachers.error();
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
  if (!options.soup.empty()) {
    task.start = [&](torch::nn::Module& module) {
      return start_from_soup(options.soup, dynamic_cast<Classifier&>(module), classes, spec);
    };
  } else if (!options.weights.empty()) {
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
    Tensor logits;
    Tensor taught;
    {
      const Autocast autocast(device.type(), bf16);
      if (!teachers->empty()) taught = taught_by(*teachers, inputs);
      logits = dynamic_cast<Classifier&>(module).forward(inputs).to(torch::kFloat);
    }
    if (taught.defined()) return torch::nn::functional::cross_entropy(logits, taught);
    // Probabilities are what is taught where there are any, else the class.
    const Tensor targets = (batch.soft.empty() ? torch::from_blob(batch.targets.data(), {rows}, torch::kLong)
                                               : torch::from_blob(batch.soft.data(), {rows, classes}))
                               .clone()
                               .to(device);
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
