#include "train/trainer.h"

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <utility>

#include "common/file.h"
#include "common/parallel.h"
#include "metrics/metrics.h"
#include "train/metrics_log.h"

namespace xray {
namespace {

using torch::Tensor;
namespace fs = std::filesystem;

constexpr int kStepsPerReport = 10;
constexpr auto kCheckpointEvery = std::chrono::minutes(5);
constexpr std::size_t kPredictBatch = 32;

using Clock = std::chrono::steady_clock;

bool machine_has_bf16() {
  return __builtin_cpu_supports("avx512bf16") != 0;
}

/// bf16 for the operators that bear it, while in scope.
class Autocast {
 public:
  Autocast(torch::DeviceType device, bool on) : device_(device), on_(on) {
    if (!on_) return;
    at::autocast::set_autocast_dtype(device_, at::kBFloat16);
    at::autocast::set_autocast_enabled(device_, true);
  }
  ~Autocast() {
    if (!on_) return;
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  torch::DeviceType device_;
  bool on_;
};

/// Linear rise to the peak, then a cosine down to a thousandth of it.
double one_cycle(std::int64_t step, std::int64_t steps, double warm_up) {
  const double position = static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(steps, 1));
  if (position < warm_up) return 0.04 + 0.96 * position / warm_up;
  const double fall = (position - warm_up) / std::max(1 - warm_up, 1e-9);
  return 1e-3 + (1 - 1e-3) * 0.5 * (1 + std::cos(std::numbers::pi * fall));
}

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

std::vector<torch::optim::OptimizerParamGroup> parameter_groups(Classifier& network, double weight_decay) {
  std::vector<Tensor> decayed;
  std::vector<Tensor> free;
  for (const Tensor& parameter : network.parameters())
    (parameter.dim() > 1 ? decayed : free).push_back(parameter);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(decayed, std::make_unique<torch::optim::AdamWOptions>(
                                   torch::optim::AdamWOptions().weight_decay(weight_decay)));
  groups.emplace_back(
      free, std::make_unique<torch::optim::AdamWOptions>(torch::optim::AdamWOptions().weight_decay(0)));
  return groups;
}

/// `average` moves towards `network`, statistics of batch norm included.
void update_average(Classifier& average, Classifier& network, double decay) {
  torch::NoGradGuard no_grad;
  const auto blend = [&](std::vector<Tensor> to, const std::vector<Tensor>& from) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (to[i].is_floating_point()) {
        to[i].lerp_(from[i].detach(), 1 - decay);
      } else {
        to[i].copy_(from[i]);
      }
    }
  };
  blend(average.parameters(), network.parameters());
  blend(average.buffers(), network.buffers());
}

std::vector<float> softmax(std::span<const float> logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  std::vector<float> probabilities;
  float sum = 0;
  for (const float logit : logits) sum += probabilities.emplace_back(std::exp(logit - highest));
  for (float& probability : probabilities) probability /= sum;
  return probabilities;
}

EpochReport validate(Classifier& network, const std::vector<TrainingPicture>& pictures, int classes,
                     const Preprocessor& preprocessor) {
  EpochReport report;
  report.validation_auc = std::numeric_limits<double>::quiet_NaN();
  if (pictures.empty()) return report;
  const std::vector<float> logits = predict_logits(network, pictures, preprocessor);
  std::vector<ScoredCase> cases;
  double loss = 0;
  std::size_t right = 0;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const auto width = static_cast<std::size_t>(classes);
    const std::vector<float> probabilities = softmax(std::span(logits).subspan(i * width, width));
    const auto target = static_cast<std::size_t>(pictures[i].target);
    loss -= std::log(std::max(static_cast<double>(probabilities[target]), 1e-12));
    right += static_cast<std::size_t>(std::max_element(probabilities.begin(), probabilities.end()) -
                                          probabilities.begin() ==
                                      static_cast<std::ptrdiff_t>(target));
    cases.push_back({target != 0, 1 - static_cast<double>(probabilities[0])});
  }
  report.validation_loss = loss / static_cast<double>(pictures.size());
  report.validation_accuracy = static_cast<double>(right) / static_cast<double>(pictures.size());
  report.validation_auc = auc(cases);
  return report;
}

/// Everything a run needs to go on where it stopped.
struct RunState {
  std::shared_ptr<Classifier> network;
  std::shared_ptr<Classifier> average;
  std::unique_ptr<torch::optim::AdamW> optimizer;
  std::int64_t step = 0;
  double best_loss = std::numeric_limits<double>::infinity();
  std::int64_t epochs_since_best = 0;
  double loss_sum = 0;  ///< of the epoch under way
};

/// In place at once, so that a crash leaves the old file or the new one.
void write_archive(torch::serialize::OutputArchive& archive, const fs::path& path) {
  const fs::path temporary = path.string() + ".tmp";
  archive.save_to(temporary.string());
  fs::rename(temporary, path);
}

void save_module(const Classifier& network, const fs::path& path) {
  torch::serialize::OutputArchive archive;
  network.save(archive);
  write_archive(archive, path);
}

void save_checkpoint(const RunState& state, const fs::path& path) {
  torch::serialize::OutputArchive archive;
  torch::serialize::OutputArchive network;
  torch::serialize::OutputArchive average;
  torch::serialize::OutputArchive optimizer;
  state.network->save(network);
  state.average->save(average);
  state.optimizer->save(optimizer);
  archive.write("network", network);
  archive.write("average", average);
  archive.write("optimizer", optimizer);
  archive.write("numbers", torch::tensor({static_cast<double>(state.step), state.best_loss,
                                          static_cast<double>(state.epochs_since_best), state.loss_sum},
                                         torch::kDouble));
  write_archive(archive, path);
}

void load_checkpoint(RunState& state, const fs::path& path, const torch::Device& device) {
  torch::serialize::InputArchive archive;
  archive.load_from(path.string(), device);
  torch::serialize::InputArchive part;
  archive.read("network", part);
  state.network->load(part);
  archive.read("average", part);
  state.average->load(part);
  archive.read("optimizer", part);
  state.optimizer->load(part);
  Tensor numbers;
  archive.read("numbers", numbers);
  numbers = numbers.cpu();
  state.step = static_cast<std::int64_t>(numbers[0].item<double>());
  state.best_loss = numbers[1].item<double>();
  state.epochs_since_best = static_cast<std::int64_t>(numbers[2].item<double>());
  state.loss_sum = numbers[3].item<double>();
}

Tensor input_tensor(std::vector<float>& values, std::size_t count, const InputSpec& spec,
                    const torch::Device& device) {
  const Tensor tensor =
      torch::from_blob(values.data(), {static_cast<std::int64_t>(count), 1, spec.height, spec.width});
  return tensor.to(device);
}

void to_channels_last(Classifier& network) {
  torch::NoGradGuard no_grad;
  for (Tensor& parameter : network.parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.data().contiguous(torch::MemoryFormat::ChannelsLast));
}

Result<Done> keep_config(const TrainOptions& options, const fs::path& run) {
  const fs::path path = run / "config.json";
  const nlohmann::ordered_json wanted = to_json(options);
  if (fs::exists(path)) {
    const Result<std::string> text = read_text(path);
    if (!text) return with_context(text.error(), path.string());
    const auto found = nlohmann::ordered_json::parse(*text, nullptr, false);
    if (fs::exists(run / "checkpoint.pt") && found != wanted)
      return Error{
          ErrorCode::kInvalidArgument,
          run.string() + " holds a run with other options; choose another folder, or repeat its options"};
  }
  return write_file(path, wanted.dump(2) + "\n");
}

}  // namespace

std::vector<float> predict_logits(Classifier& network, const std::vector<TrainingPicture>& pictures,
                                  const Preprocessor& preprocessor) {
  torch::NoGradGuard no_grad;
  const bool was_training = network.is_training();
  network.eval();
  const torch::Device device = network.parameters().front().device();
  const std::size_t size = preprocessor.input_size();
  std::vector<float> all;
  for (std::size_t begin = 0; begin < pictures.size(); begin += kPredictBatch) {
    const std::size_t count = std::min(kPredictBatch, pictures.size() - begin);
    std::vector<float> inputs(count * size);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> input(inputs.data() + i * size, size);
      std::copy(pictures[begin + i].pixels.begin(), pictures[begin + i].pixels.end(), input.begin());
      preprocessor.normalise(input);
    }
    const Tensor logits = network.forward(input_tensor(inputs, count, preprocessor.spec(), device))
                              .to(torch::kCPU, torch::kFloat)
                              .contiguous();
    const float* data = logits.const_data_ptr<float>();
    all.insert(all.end(), data, data + logits.numel());
  }
  network.train(was_training);
  return all;
}

Result<std::shared_ptr<Classifier>> train(const TrainOptions& options, int classes,
                                          const std::vector<TrainingPicture>& training,
                                          const std::vector<TrainingPicture>& validation,
                                          const Preprocessor& preprocessor, const fs::path& run,
                                          const TrainCallbacks& callbacks, const std::stop_token& stop) {
  const Result<Architecture> architecture = find_architecture(options.architecture);
  if (!architecture) return architecture.error();
  if (options.device != "cpu" && options.device != "cuda")
    return Error{ErrorCode::kInvalidArgument, "no device '" + options.device + "' (cpu, cuda)"};
  if (options.device == "cuda" && !torch::cuda::is_available())
    return Error{ErrorCode::kInvalidArgument, "this machine, or this LibTorch, has no CUDA"};
  if (options.precision != "auto" && options.precision != "bf16" && options.precision != "fp32")
    return Error{ErrorCode::kInvalidArgument, "no precision '" + options.precision + "' (auto, bf16, fp32)"};
  if (training.size() < static_cast<std::size_t>(options.batch_size))
    return Error{ErrorCode::kInvalidArgument, "fewer pictures to train on than one batch takes"};

  fs::create_directories(run);
  if (const Result<Done> kept = keep_config(options, run); !kept) return kept.error();

  const torch::Device device(options.device);
  const bool on_gpu = device.is_cuda();
  const bool bf16 =
      options.precision == "bf16" || (options.precision == "auto" && (on_gpu || machine_has_bf16()));
  if (!on_gpu) torch::set_num_threads(static_cast<int>(thread_count(options.threads)));
  torch::manual_seed(options.seed);

  const NetworkOptions network_options{.classes = classes,
                                       .dropout = options.dropout,
                                       .drop_path = options.drop_path,
                                       .height = preprocessor.spec().height,
                                       .width = preprocessor.spec().width};
  RunState state;
  state.network = make_classifier(*architecture, network_options);
  state.average = make_classifier(*architecture, network_options);
  BatchLoader loader(training, preprocessor,
                     {.batch_size = options.batch_size,
                      .threads = options.loader_threads,
                      .seed = options.seed,
                      .augment = options.augment});
  const std::int64_t per_epoch = loader.batches_per_epoch();
  const std::int64_t steps = per_epoch * options.epochs;

  const bool resumed = fs::exists(run / "checkpoint.pt");
  if (!resumed && !options.weights.empty()) {
    if (const Result<Done> loaded = state.network->load_pretrained(options.weights); !loaded)
      return loaded.error();
    Batch first = BatchLoader(training, preprocessor,
                              {.batch_size = static_cast<int>(std::min<std::size_t>(128, training.size())),
                               .threads = 1,
                               .seed = options.seed,
                               .augment = options.augment})
                      .next(0);
    const std::size_t count = first.targets.size();
    state.network->restart_batch_norm(torch::from_blob(
        first.inputs.data(),
        {static_cast<std::int64_t>(count), 1, preprocessor.spec().height, preprocessor.spec().width}));
  }
  state.network->to(device);
  state.average->to(device);
  to_channels_last(*state.network);
  to_channels_last(*state.average);
  update_average(*state.average, *state.network, 0);
  state.average->eval();
  state.optimizer =
      std::make_unique<torch::optim::AdamW>(parameter_groups(*state.network, options.weight_decay),
                                            torch::optim::AdamWOptions(options.learning_rate));
  if (resumed) load_checkpoint(state, run / "checkpoint.pt", device);

  const Tensor weights = class_weights(training, classes, options.class_balance).to(device);
  const auto loss_options = torch::nn::functional::CrossEntropyFuncOptions().weight(weights).label_smoothing(
      options.label_smoothing);
  MetricsLog log(run);
  auto last_report = Clock::now();
  auto last_checkpoint = Clock::now();
  double report_loss = 0;
  std::int64_t report_steps = 0;

  const bool stopped_early = options.patience > 0 && state.epochs_since_best >= options.patience;
  while (state.step < steps && !stopped_early) {
    Batch batch = loader.next(state.step);
    // Dropout draws from the step's own seed, so a resumed run draws the same.
    torch::manual_seed(options.seed * 1000003 + static_cast<std::uint64_t>(state.step));
    const double rate = options.learning_rate * one_cycle(state.step, steps, options.warm_up);
    for (auto& group : state.optimizer->param_groups()) group.options().set_lr(rate);

    state.network->train();
    const std::size_t count = batch.targets.size();
    const Tensor inputs = input_tensor(batch.inputs, count, preprocessor.spec(), device);
    const Tensor targets =
        torch::from_blob(batch.targets.data(), {static_cast<std::int64_t>(count)}, torch::kLong).to(device);
    Tensor loss;
    {
      const Autocast autocast(device.type(), bf16);
      loss = torch::nn::functional::cross_entropy(state.network->forward(inputs).to(torch::kFloat), targets,
                                                  loss_options);
    }
    state.optimizer->zero_grad();
    loss.backward();
    torch::nn::utils::clip_grad_norm_(state.network->parameters(), 5.0);
    state.optimizer->step();
    ++state.step;
    const double warm_decay =
        std::min(options.ema, static_cast<double>(state.step + 1) / static_cast<double>(state.step + 10));
    update_average(*state.average, *state.network, warm_decay);

    const double value = loss.item<double>();
    if (!std::isfinite(value))
      return Error{ErrorCode::kInternal, "the loss is no longer a number; lower the learning rate"};
    state.loss_sum += value;
    report_loss += value;
    ++report_steps;
    const int epoch = static_cast<int>((state.step - 1) / per_epoch) + 1;
    if (report_steps == kStepsPerReport || state.step % per_epoch == 0) {
      const double seconds = std::chrono::duration<double>(Clock::now() - last_report).count();
      const TrainProgress progress{
          .step = state.step,
          .steps = steps,
          .epoch = epoch,
          .loss = report_loss / static_cast<double>(report_steps),
          .images_per_second = static_cast<double>(report_steps * options.batch_size) / seconds,
          .loader_wait = loader.waited_share()};
      if (callbacks.on_progress) callbacks.on_progress(progress);
      log.write(state.step, {{"loss", progress.loss},
                             {"learning_rate", rate},
                             {"images_per_second", progress.images_per_second},
                             {"loader_wait", progress.loader_wait}});
      report_loss = 0;
      report_steps = 0;
      last_report = Clock::now();
    }

    if (state.step % per_epoch == 0) {
      EpochReport report = validate(*state.average, validation, classes, preprocessor);
      report.epoch = epoch;
      report.train_loss = state.loss_sum / static_cast<double>(per_epoch);
      state.loss_sum = 0;
      // Without validation pictures the last epoch is the best there is to know.
      report.best = validation.empty() || report.validation_loss < state.best_loss;
      state.epochs_since_best = report.best ? 0 : state.epochs_since_best + 1;
      if (report.best) state.best_loss = report.validation_loss;
      if (report.best && options.patience > 0) save_module(*state.average, run / "best.pt");
      log.write(state.step, {{"epoch", epoch},
                             {"train_loss", report.train_loss},
                             {"validation_loss", report.validation_loss},
                             {"validation_auc", report.validation_auc},
                             {"validation_accuracy", report.validation_accuracy}});
      if (callbacks.on_epoch) callbacks.on_epoch(report);
      save_checkpoint(state, run / "checkpoint.pt");
      last_checkpoint = last_report = Clock::now();
      if (options.patience > 0 && state.epochs_since_best >= options.patience) break;
    } else if (stop.stop_requested() || Clock::now() - last_checkpoint > kCheckpointEvery) {
      save_checkpoint(state, run / "checkpoint.pt");
      last_checkpoint = Clock::now();
    }
    if (stop.stop_requested() && state.step < steps)
      return Error{ErrorCode::kCancelled, "stopped after step " + std::to_string(state.step) + " of " +
                                              std::to_string(steps) +
                                              "; the same command goes on from there"};
  }

  auto network = make_classifier(*architecture, network_options);
  if (options.patience > 0) {
    torch::serialize::InputArchive best;
    best.load_from((run / "best.pt").string(), torch::Device(torch::kCPU));
    network->load(best);
  } else {
    state.average->to(torch::Device(torch::kCPU));
    update_average(*network, *state.average, 0);
  }
  network->eval();
  return network;
}

}  // namespace xray
