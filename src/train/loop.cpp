#include "train/loop.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/_foreach_lerp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

#include "common/file.h"
#include "common/parallel.h"
#include "train/metrics_log.h"

namespace xray {
namespace {

using torch::Tensor;
using torch::nn::Module;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kStepsPerReport = 10;
constexpr std::array<std::string_view, 4> kOptimizers = {"adamw", "adam", "sgd", "rmsprop"};
constexpr std::array<std::string_view, 4> kSchedules = {"one-cycle", "cosine", "step", "constant"};

/// `Settings` are those of `Optimizer`; weight decay is not for batch norm and biases.
template <typename Optimizer, typename Settings>
std::unique_ptr<torch::optim::Optimizer> make_optimizer(torch::nn::Module& network, const Settings& settings,
                                                        double weight_decay) {
  std::vector<Tensor> decayed;
  std::vector<Tensor> free;
  for (const Tensor& parameter : network.parameters())
    (parameter.dim() > 1 ? decayed : free).push_back(parameter);
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(decayed, std::make_unique<Settings>(Settings(settings).weight_decay(weight_decay)));
  groups.emplace_back(free, std::make_unique<Settings>(Settings(settings).weight_decay(0)));
  return std::make_unique<Optimizer>(std::move(groups), settings);
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(torch::nn::Module& network,
                                                        const TrainOptions& options) {
  using namespace torch::optim;
  const double rate = options.learning_rate;
  const double decay = options.weight_decay;
  if (options.optimizer == "adam") return make_optimizer<Adam>(network, AdamOptions(rate), decay);
  if (options.optimizer == "sgd")
    return make_optimizer<SGD>(
        network, SGDOptions(rate).momentum(options.momentum).nesterov(options.momentum > 0), decay);
  if (options.optimizer == "rmsprop")
    return make_optimizer<RMSprop>(network, RMSpropOptions(rate).momentum(options.momentum), decay);
  return make_optimizer<AdamW>(network, AdamWOptions(rate), decay);
}

std::int64_t parameter_count(const Module& network) {
  std::int64_t count = 0;
  for (const Tensor& parameter : network.parameters()) count += parameter.numel();
  return count;
}

std::vector<std::vector<std::int64_t>> shapes(const Module& network) {
  std::vector<std::vector<std::int64_t>> all;
  for (const Tensor& parameter : network.parameters()) all.push_back(parameter.sizes().vec());
  return all;
}

/// Everything a run needs to go on where it stopped.
struct RunState {
  std::shared_ptr<Module> network;
  std::shared_ptr<Module> average;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
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

void save_module(const torch::nn::Module& network, const fs::path& path) {
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

void to_channels_last(torch::nn::Module& network) {
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
    // Options that came later are at their defaults in an older run.
    const auto found = train_options_from_json(nlohmann::ordered_json::parse(*text, nullptr, false));
    if (fs::exists(run / "checkpoint.pt") && (!found || to_json(*found) != wanted))
      return Error{
          ErrorCode::kInvalidArgument,
          run.string() + " holds a run with other options; choose another folder, or repeat its options"};
  }
  return write_file(path, wanted.dump(2) + "\n");
}

}  // namespace

Autocast::Autocast(torch::DeviceType device, bool on) : device_(device), on_(on) {
  if (!on_) return;
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::set_autocast_enabled(device_, true);
}

Autocast::~Autocast() {
  if (!on_) return;
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, false);
}

Result<Done> load_kept(Module& network, const fs::path& run, bool best) {
  const fs::path path = run / (best ? "best.pt" : "checkpoint.pt");
  if (!fs::exists(path)) return Error{ErrorCode::kNotFound, path.string() + ": no such file"};
  const Error misfit{ErrorCode::kDamaged, path.string() + ": not the weights of such a network"};
  const std::vector<std::vector<std::int64_t>> made = shapes(network);
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(path.string(), torch::Device(torch::kCPU));
    if (best) {
      network.load(archive);
    } else {
      torch::serialize::InputArchive average;
      archive.read("average", average);
      network.load(average);
    }
  } catch (const c10::Error&) {
    return misfit;
  }
  // An archive's tensors take the place of the network's, of whatever shape they are.
  if (shapes(network) != made) return misfit;
  to_channels_last(network);
  network.eval();
  return Done{};
}

bool alike(const Module& one, const Module& other) {
  return shapes(one) == shapes(other);
}

void mix_weights(Module& to, Module& from, double kept) {
  torch::NoGradGuard no_grad;
  std::vector<Tensor> old;
  std::vector<Tensor> fresh;
  const auto collect = [&](const std::vector<Tensor>& mixed, const std::vector<Tensor>& added) {
    for (std::size_t i = 0; i < mixed.size(); ++i) {
      if (mixed[i].is_floating_point()) {
        old.push_back(mixed[i]);
        fresh.push_back(added[i].detach());
      } else {
        mixed[i].copy_(added[i]);
      }
    }
  };
  collect(to.parameters(), from.parameters());
  collect(to.buffers(), from.buffers());
  at::_foreach_lerp_(old, fresh, 1 - kept);
}

Tensor input_tensor(std::vector<float>& values, std::size_t count, const InputSpec& spec,
                    const torch::Device& device) {
  return torch::from_blob(values.data(), {static_cast<std::int64_t>(count), 1, spec.height, spec.width})
      .clone()
      .to(device);
}

double learning_rate_at(const std::string& schedule, std::int64_t step, std::int64_t steps, double warm_up) {
  const double position = static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(steps, 1));
  if (schedule == "constant") return 1;
  if (schedule == "step") return position < 1.0 / 3 ? 1 : position < 2.0 / 3 ? 0.1 : 0.01;
  const double rise = schedule == "cosine" ? 0 : warm_up;
  if (position < rise) return 0.04 + 0.96 * position / rise;
  const double fall = (position - rise) / std::max(1 - rise, 1e-9);
  return 1e-3 + (1 - 1e-3) * 0.5 * (1 + std::cos(std::numbers::pi * fall));
}

namespace {

Result<Done> check_choice(const std::string& what, const std::string& given,
                          std::span<const std::string_view> choices) {
  if (std::ranges::find(choices, given) != choices.end()) return Done{};
  std::string names;
  for (const std::string_view choice : choices) names += (names.empty() ? "" : ", ") + std::string(choice);
  return Error{ErrorCode::kInvalidArgument, "no " + what + " '" + given + "' (" + names + ")"};
}

}  // namespace

Result<Done> check_machine(const TrainOptions& options) {
  if (auto known = check_choice("optimizer", options.optimizer, kOptimizers); !known) return known.error();
  if (auto known = check_choice("schedule", options.schedule, kSchedules); !known) return known.error();
  if (options.device != "cpu" && options.device != "cuda")
    return Error{ErrorCode::kInvalidArgument, "no device '" + options.device + "' (cpu, cuda)"};
  if (options.device == "cuda" && !torch::cuda::is_available())
    return Error{ErrorCode::kInvalidArgument, "this machine, or this LibTorch, has no CUDA"};
  if (options.precision != "auto" && options.precision != "bf16" && options.precision != "fp32")
    return Error{ErrorCode::kInvalidArgument, "no precision '" + options.precision + "' (auto, bf16, fp32)"};
  return Done{};
}

bool use_bf16(const TrainOptions& options) {
  if (options.precision != "auto") return options.precision == "bf16";
  return options.device == "cuda" || __builtin_cpu_supports("avx512bf16") != 0;
}

Result<std::shared_ptr<Module>> run_loop(const TrainOptions& options, const TrainTask& task,
                                         const fs::path& run, const TrainCallbacks& callbacks,
                                         const std::stop_token& stop) {
  fs::create_directories(run);
  if (const Result<Done> kept = keep_config(options, run); !kept) return kept.error();

  const torch::Device device(options.device);
  if (device.is_cpu()) torch::set_num_threads(static_cast<int>(thread_count(options.threads)));
  torch::manual_seed(options.seed);
  RunState state;
  state.network = task.make();
  state.average = task.make();
  const std::int64_t per_epoch = task.steps_per_epoch;
  const std::int64_t steps = per_epoch * options.epochs;
  const std::int64_t until =
      options.pause_after > 0 ? std::min(steps, per_epoch * options.pause_after) : steps;
  const std::int64_t parameters = parameter_count(*state.network);
  if (options.max_parameters > 0 && parameters > options.max_parameters)
    return Error{ErrorCode::kTooLarge, "the network has " + std::to_string(parameters) +
                                           " parameters; at most " + std::to_string(options.max_parameters) +
                                           " are allowed"};
  const bool resumed = fs::exists(run / "checkpoint.pt");
  if (!resumed && task.start) {
    if (const Result<Done> started = task.start(*state.network); !started) return started.error();
  }
  state.network->to(device);
  state.average->to(device);
  to_channels_last(*state.network);
  to_channels_last(*state.average);
  mix_weights(*state.average, *state.network, 0);
  state.average->eval();
  state.optimizer = make_optimizer(*state.network, options);
  if (resumed) load_checkpoint(state, run / "checkpoint.pt", device);

  MetricsLog log(run);
  auto last_report = Clock::now();
  auto last_checkpoint = Clock::now();
  double report_loss = 0;
  std::int64_t report_steps = 0;

  const bool stopped_early = options.patience > 0 && state.epochs_since_best >= options.patience;
  while (state.step < until && !stopped_early) {
    // Dropout draws from the step's own seed, so a resumed run draws the same.
    torch::manual_seed(options.seed * 1000003 + static_cast<std::uint64_t>(state.step));
    const double rate =
        options.learning_rate * learning_rate_at(options.schedule, state.step, steps, options.warm_up);
    for (auto& group : state.optimizer->param_groups()) group.options().set_lr(rate);

    state.network->train();
    const Tensor loss = task.loss(*state.network, state.step);
    state.optimizer->zero_grad();
    loss.backward();
    torch::nn::utils::clip_grad_norm_(state.network->parameters(), 5.0);
    state.optimizer->step();
    ++state.step;
    const double warm_decay =
        std::min(options.ema, static_cast<double>(state.step + 1) / static_cast<double>(state.step + 10));
    mix_weights(*state.average, *state.network, warm_decay);

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
          .loader_wait = task.loader_wait()};
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
      EpochReport report = task.validate ? task.validate(*state.average) : EpochReport{};
      report.epoch = epoch;
      report.train_loss = state.loss_sum / static_cast<double>(per_epoch);
      state.loss_sum = 0;
      // Without validation pictures the last epoch is the best there is to know.
      report.best = !task.validate || report.validation_loss < state.best_loss;
      state.epochs_since_best = report.best ? 0 : state.epochs_since_best + 1;
      if (report.best) state.best_loss = report.validation_loss;
      if (report.best && options.patience > 0) save_module(*state.average, run / "best.pt");
      Scalars scalars{
          {"epoch", epoch}, {"train_loss", report.train_loss}, {"validation_loss", report.validation_loss}};
      for (const auto& [name, score] : report.validation) scalars.emplace_back("validation_" + name, score);
      log.write(state.step, scalars);
      if (callbacks.on_epoch) callbacks.on_epoch(report);
      save_checkpoint(state, run / "checkpoint.pt");
      last_checkpoint = last_report = Clock::now();
      if (options.patience > 0 && state.epochs_since_best >= options.patience) break;
    } else if (stop.stop_requested() || Clock::now() - last_checkpoint > options.checkpoint_every) {
      save_checkpoint(state, run / "checkpoint.pt");
      last_checkpoint = Clock::now();
    }
    if (stop.stop_requested() && state.step < until)
      return Error{ErrorCode::kCancelled, "stopped after step " + std::to_string(state.step) + " of " +
                                              std::to_string(steps) +
                                              "; the same command goes on from there"};
  }

  auto network = task.make();
  if (options.patience > 0) {
    torch::serialize::InputArchive best;
    best.load_from((run / "best.pt").string(), torch::Device(torch::kCPU));
    network->load(best);
  } else {
    state.average->to(torch::Device(torch::kCPU));
    mix_weights(*network, *state.average, 0);
  }
  network->eval();
  return network;
}

}  // namespace xray
