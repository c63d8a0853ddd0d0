#include "cli/train_common.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <utility>

#include "common/file.h"

namespace xray {

Result<nlohmann::ordered_json> read_about(const std::string& path) {
  if (path.empty()) return nlohmann::ordered_json::object();
  const Result<std::string> text = read_text(path);
  if (!text) return with_context(text.error(), path);
  auto json = nlohmann::ordered_json::parse(*text, nullptr, false);
  if (!json.is_object()) return Error{ErrorCode::kInvalidArgument, path + ": not a JSON object"};
  return json;
}

int train_exit(const Error& error) {
  std::cerr << "xray-train: " << error.message << '\n';
  switch (error.code) {
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kForbidden:
    case ErrorCode::kOverQuota:
    case ErrorCode::kCancelled:
      return 130;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
      return 2;
    case ErrorCode::kTooLarge:
      return 3;
    case ErrorCode::kNotAPicture:
    case ErrorCode::kUnsupported:
    case ErrorCode::kDamaged:
    case ErrorCode::kUnusable:
    case ErrorCode::kBusy:
    case ErrorCode::kTimeout:
    case ErrorCode::kIo:
    case ErrorCode::kStorage:
    case ErrorCode::kBadModel:
    case ErrorCode::kInternal:
      return 1;
  }
  return 1;
}

void add_train_options(CLI::App& command, const std::shared_ptr<TrainOptions>& options) {
  TrainOptions& train = *options;
  command.add_option("--input", train.input_size, "Side of the network's input in pixels")
      ->check(CLI::Range(32, 1024))
      ->capture_default_str();
  command.add_option("--epochs", train.epochs, "Passes over the training pictures")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command.add_option("--batch", train.batch_size, "Pictures per step")
      ->check(CLI::Range(2, 4096))
      ->capture_default_str();
  command.add_option("--optimizer", train.optimizer, "adamw, adam, sgd (with Nesterov's momentum), rmsprop")
      ->capture_default_str();
  command.add_option("--momentum", train.momentum, "Of sgd and rmsprop")
      ->check(CLI::Range(0.0, 0.9999))
      ->capture_default_str();
  command.add_option("--lr", train.learning_rate, "Highest learning rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--schedule", train.schedule,
                  "Of the learning rate: one-cycle (rise, then cosine), cosine, step (a tenth after each "
                  "third), constant")
      ->capture_default_str();
  command.add_option("--warm-up", train.warm_up, "Share of the steps in which it rises (one-cycle)")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  command.add_option("--weight-decay", train.weight_decay, "Not on batch norm and biases")
      ->capture_default_str();
  command.add_option("--ema", train.ema, "Decay of the averaged weights")->capture_default_str();
  command
      .add_option("--patience", train.patience,
                  "Stop after this many epochs without gain and keep the best; 0: never, keep the last")
      ->capture_default_str();
  command
      .add_option("--pause-after", train.pause_after,
                  "Go no further than this epoch for now; the same command without it goes on")
      ->check(CLI::Range(1, 10000))
      ->default_str("");
  command
      .add_option_function<int>(
          "--checkpoint-every",
          [options](int seconds) { options->checkpoint_every = std::chrono::seconds(seconds); },
          "Seconds between checkpoints within an epoch (default: 300)")
      ->check(CLI::Range(1, 86'400));
  // The options outlive the parsing: CLI11 keeps the callback, the callback keeps them.
  command.add_flag_callback(
      "--no-augment", [options] { options->augment = no_augmentation(); },
      "Train on the pictures as they are");
  command
      .add_option_function<std::vector<std::string>>(
          "--augment",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts)
              if (const Result<Done> set = set_augmentation(options->augment, text); !set)
                throw CLI::ValidationError("--augment", set.error().message);
          },
          "How far one kind of bending goes, as gamma=0.8 (config.json of a run lists all); may be repeated")
      ->type_name("NAME=NUMBER")
      ->allow_extra_args(false);
  command.add_option("--seed", train.seed, "Of weights, order and augmentation")->capture_default_str();
  command.add_option("--threads", train.threads, "For the network; 0: all cores")->capture_default_str();
  command.add_option("--loader-threads", train.loader_threads, "For making pictures")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command.add_option("--precision", train.precision, "auto, bf16, fp32")->capture_default_str();
  command.add_option("--device", train.device, "cpu or cuda")->capture_default_str();
}

TrainReporter::TrainReporter(std::string label, int batch_size)
    : label_(std::move(label)), batch_size_(static_cast<std::size_t>(batch_size)) {}

TrainCallbacks TrainReporter::callbacks() {
  TrainCallbacks callbacks;
  callbacks.on_progress = [this](const TrainProgress& p) {
    // Counts pictures, so that its rate is the one people compare; a resumed run counts what is left.
    if (!progress_)
      progress_ =
          std::make_unique<Progress>(label_, static_cast<std::size_t>(p.steps - p.step) * batch_size_);
    else
      progress_->advance(static_cast<std::size_t>(p.step - last_step_) * batch_size_);
    last_step_ = p.step;
    rate_sum_ += p.images_per_second;
    wait_sum_ += p.loader_wait;
    ++reports_;
  };
  callbacks.on_epoch = [this](const EpochReport& r) {
    clear();
    std::cerr << "epoch " << r.epoch << ": training loss " << std::fixed << std::setprecision(4)
              << r.train_loss;
    // Without films to validate on there is nothing to say of them.
    if (!r.validation.empty()) std::cerr << ", validation loss " << r.validation_loss;
    for (const auto& [name, value] : r.validation) std::cerr << ", " << name << ' ' << value;
    std::cerr << std::setprecision(1) << "; " << rate_sum_ / std::max(reports_, 1) << " img/s, of which "
              << 100 * wait_sum_ / std::max(reports_, 1) << " % waiting for pictures"
              << (r.best ? " (best so far)" : "") << '\n';
    rate_sum_ = wait_sum_ = 0;
    reports_ = 0;
  };
  return callbacks;
}

void TrainReporter::clear() {
  if (progress_) progress_->clear();
}

}  // namespace xray
