#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "network/classifier.h"
#include "train/augment.h"
#include "train/batch_loader.h"
#include "train/metrics_log.h"

namespace xray {

/// Everything that decides a run besides its pictures; kept in the run as config.json.
struct TrainOptions {
  std::string architecture = "efficientnet-lite0";
  std::string weights;  ///< .safetensors to start from; empty: random
  int frozen = 0;       ///< NetworkOptions::frozen
  /// Runs of train() that have ended, whose networks see the same input and classes. Their mean, and not the
  /// labels, is then what is taught: of each bent picture what they say of just that one (Hinton, Vinyals and
  /// Dean 2015; Beyer et al. 2022).
  std::vector<std::string> teachers;
  /// Runs of train() that have ended, of the same architecture, input and classes: training starts from the
  /// mean of their weights (a model soup, Wortsman et al. 2022) and not from `weights`.
  std::vector<std::string> soup;
  ArchitectureScale scale;
  std::int64_t max_parameters = 0;  ///< a network with more is refused; 0: none is
  int input_size = 224;
  int epochs = 7;
  int batch_size = 32;
  std::string optimizer = "adamw";     ///< or "adam", "sgd", "rmsprop"
  double momentum = 0.9;               ///< of SGD (Nesterov's) and RMSprop
  std::string schedule = "one-cycle";  ///< or "cosine", "step", "constant": learning_rate_at()
  double learning_rate = 6e-4;         ///< the highest
  double warm_up = 0.15;               ///< share of all steps until then; not of "step" and "constant"
  double weight_decay = 0.05;          ///< AdamW (Loshchilov 2019), else L2; not on batch norm and biases
  double label_smoothing = 0.05;
  double class_balance = 0.5;  ///< exponent of the inverse class frequency in the loss: 0 none, 1 full
  double ema = 0.99;           ///< decay per step of the averaged weights, which are what is kept
  double dropout = -1;         ///< negative: the architecture's own
  double drop_path = 0.1;
  int patience = 0;  ///< epochs without a better validation loss until it stops; 0: never
  std::uint64_t seed = 1;
  int threads = 0;  ///< for the network; 0: all cores
  int loader_threads = 2;
  std::string precision = "auto";  ///< "bf16", "fp32", or bf16 where the machine has it
  std::string device = "cpu";      ///< "cpu" or "cuda"
  AugmentOptions augment;

  // How far a run goes this time is no part of what it is.
  int pause_after = 0;                         ///< epochs; the same command without it goes on. 0: to the end
  std::chrono::seconds checkpoint_every{300};  ///< within an epoch; there is one at the end of each
};

/// Share of the highest learning rate at `step` (0, 1, ...) of `steps`. "one-cycle": linear rise, then a
/// cosine down to a thousandth (Smith 2018); "cosine": the same without the rise; "step": a tenth after
/// each third; "constant".
double learning_rate_at(const std::string& schedule, std::int64_t step, std::int64_t steps, double warm_up);

nlohmann::ordered_json to_json(const TrainOptions& options);
/// kInvalidArgument, naming the field. Fields that are absent keep their defaults.
Result<TrainOptions> train_options_from_json(const nlohmann::ordered_json& json);

/// Sets one augmentation from text such as "gamma=0.8"; kInvalidArgument, naming the choices.
Result<Done> set_augmentation(AugmentOptions& options, const std::string& text);

/// What a run says of itself while it goes on.
struct TrainProgress {
  std::int64_t step = 0;  ///< finished, over all epochs
  std::int64_t steps = 0;
  int epoch = 0;  ///< 1-based
  double loss = 0;
  double images_per_second = 0;  ///< since the last report
  double loader_wait = 0;        ///< share of the time spent waiting for pictures
};

/// Validation after an epoch, on the averaged weights.
struct EpochReport {
  int epoch = 0;
  double train_loss = 0;
  double validation_loss = 0;
  Scalars validation;  ///< what else was measured, by name: "AUC", "accuracy", "Dice"
  bool best = false;
};

struct TrainCallbacks {
  std::function<void(const TrainProgress&)> on_progress;
  std::function<void(const EpochReport&)> on_epoch;
};

/// Trains on `training` and returns the network with the averaged weights of the
/// epoch that is kept (TrainOptions::patience), in evaluation mode on the CPU.
///
/// Writes config.json, metrics.jsonl, TensorBoard events and checkpoint.pt into
/// `run`, and best.pt where the best epoch is looked for.
/// Where `run` holds a checkpoint it goes on at the very step, and does the same
/// steps as a run that was never interrupted (same machine, same thread count);
/// kInvalidArgument if its config differs. `stop`: writes a checkpoint, kCancelled. A run that is to pause
/// returns the averaged weights of the last epoch it did. kTooLarge above max_parameters.
/// Class 0 is normal; the AUC is that of 1 - P(normal).
Result<std::shared_ptr<Classifier>> train(const TrainOptions& options, int classes,
                                          const std::vector<TrainingPicture>& training,
                                          const std::vector<TrainingPicture>& validation,
                                          const Preprocessor& preprocessor, const std::filesystem::path& run,
                                          const TrainCallbacks& callbacks, const std::stop_token& stop);

/// The network that train() returned in `run`, whose pictures had this input. kNotFound, kIo, kDamaged,
/// kInvalidArgument, all naming the run.
Result<std::shared_ptr<Classifier>> read_run(const std::filesystem::path& run, int classes,
                                             const InputSpec& input);

/// What the network sees of a picture that is not bent: its frame resized and
/// normalised into `input` (Preprocessor::input_size() floats). Thread-safe.
void network_input(const TrainingPicture& picture, const Preprocessor& preprocessor, std::span<float> input);

/// Logits (pictures x classes, row-major) of the pictures without augmentation, in
/// 32-bit floats, in evaluation mode, on the device the network is on.
std::vector<float> predict_logits(Classifier& network, const std::vector<TrainingPicture>& pictures,
                                  const Preprocessor& preprocessor);

}  // namespace xray
