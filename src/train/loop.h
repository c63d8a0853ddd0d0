#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>

#include "common/result.h"
#include "train/trainer.h"

namespace xray {

/// What one kind of training adds to the loop that all share.
struct TrainTask {
  /// A network with random weights; torch::manual_seed was called before.
  std::function<std::shared_ptr<torch::nn::Module>()> make;
  /// Called once on a fresh run's network, still on the CPU; may be empty.
  std::function<Result<Done>(torch::nn::Module& network)> start;
  std::int64_t steps_per_epoch = 0;
  /// The loss of batch `step` (0, 1, ... over all epochs), a scalar to be differentiated.
  std::function<torch::Tensor(torch::nn::Module& network, std::int64_t step)> loss;
  /// Validation of the averaged weights: loss and scores. Empty: nothing to validate on.
  std::function<EpochReport(torch::nn::Module& average)> validate;
  /// Share of the time since the last call that was spent waiting for pictures.
  std::function<double()> loader_wait;
};

/// `count` x 1 x height x width on `device`. A copy: the backward pass reads it when the batch is gone.
torch::Tensor input_tensor(std::vector<float>& values, std::size_t count, const InputSpec& spec,
                           const torch::Device& device);

/// Whether the parameters of both are of the same shapes.
bool alike(const torch::nn::Module& one, const torch::nn::Module& other);

/// Parameters and statistics of `from`, which must be alike, into `to`, which keeps the share `kept` of its
/// own.
void mix_weights(torch::nn::Module& to, torch::nn::Module& from, double kept);

/// Checks device, precision, optimiser and schedule of `options`. kInvalidArgument.
Result<Done> check_machine(const TrainOptions& options);

/// Whether the forward pass is to run in bf16 under `options` on this machine.
bool use_bf16(const TrainOptions& options);

/// bf16 for the operators that bear it, while in scope.
class Autocast {
 public:
  Autocast(torch::DeviceType device, bool on);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  torch::DeviceType device_;
  bool on_;
};

/// The averaged weights that a run kept into `network`, of the same making and on the CPU, which is then in
/// evaluation mode. kNotFound without a checkpoint; kDamaged.
Result<Done> load_kept(torch::nn::Module& network, const std::filesystem::path& run, bool best);

/// Runs `task` in folder `run`, `options` having passed check_machine(): averaged weights, logs and
/// checkpoints. Contract, files and failures are those of train(). Returns the averaged weights that are
/// kept, in evaluation mode on the CPU.
Result<std::shared_ptr<torch::nn::Module>> run_loop(const TrainOptions& options, const TrainTask& task,
                                                    const std::filesystem::path& run,
                                                    const TrainCallbacks& callbacks,
                                                    const std::stop_token& stop);

}  // namespace xray
