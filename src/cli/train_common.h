#pragma once

#include <memory>

#include "common/error.h"
#include "common/progress.h"
#include "train/trainer.h"

namespace CLI {
class App;
}

namespace xray {

/// Says what went wrong and returns the exit code: 130 stopped by the user, 2 wrong
/// usage, 3 a network over the size allowed, 1 anything else.
int train_exit(const Error& error);

/// Parts of a card that only a person knows (where the data came from, licence, limits): the JSON
/// object in the file; an empty one where `path` is empty. kNotFound, kIo, kInvalidArgument.
Result<nlohmann::ordered_json> read_about(const std::string& path);

/// The options every kind of training has; the present values of `options` are the defaults.
void add_train_options(CLI::App& command, const std::shared_ptr<TrainOptions>& options);

/// Shows a run on standard error: a progress line, and a line per epoch.
class TrainReporter {
 public:
  /// `batch_size` turns steps into pictures. `label`: what stands before the bar.
  TrainReporter(std::string label, int batch_size);
  TrainCallbacks callbacks();
  /// Erases the progress line.
  void clear();

 private:
  std::string label_;
  std::size_t batch_size_;
  std::unique_ptr<Progress> progress_;
  std::int64_t last_step_ = 0;
  double rate_sum_ = 0;
  double wait_sum_ = 0;
  int reports_ = 0;
};

}  // namespace xray
