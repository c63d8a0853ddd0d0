#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "train/augment.h"

namespace xray {

/// One batch: count x height x width floats, normalised, and what they teach.
struct Batch {
  std::vector<float> inputs;
  std::vector<std::int64_t> targets;
  std::vector<float> soft;    ///< count x classes, where the pictures have them
  std::vector<float> offset;  ///< count x classes, where the pictures have them
  std::vector<float> masks;   ///< count x height x width, 0..1, where the pictures have them
  // Where the pictures have zones:
  std::vector<std::uint8_t> zones;   ///< count x height x width, 0..6
  std::vector<float> opacity;        ///< count x height x width, 0..1; 0 where nothing was drawn
  std::vector<float> opacity_known;  ///< count; 1 for normal films, drawn on or not, else 0
  std::vector<float> zone_scores;    ///< count x 6, 0..3; negative where nobody scored
};

/// Makes augmented batches on threads of its own, ahead of the network. Batch k
/// depends on the pictures, the seed and k alone (not on threads, nor on where
/// counting began), which is what makes a resumed run go on exactly.
class BatchLoader {
 public:
  struct Options {
    int batch_size = 32;
    int threads = 2;
    std::uint64_t seed = 1;
    AugmentOptions augment;
  };

  /// `pictures` must outlive the loader. Throws std::invalid_argument if there are
  /// fewer pictures than one batch takes.
  BatchLoader(const std::vector<TrainingPicture>& pictures, const Preprocessor& preprocessor,
              const Options& options);

  /// Whole batches in one pass over the pictures; the rest waits for another order.
  std::int64_t batches_per_epoch() const { return per_epoch_; }

  /// Batch `step` (0, 1, 2, ... over all epochs), waiting until it is made.
  /// Steps must rise, else std::logic_error; the first one says where to begin.
  Batch next(std::int64_t step);

  /// Share of the time since the last call that next() spent waiting: 0 where the
  /// loader keeps up with the network.
  double waited_share();

 private:
  void work(const std::stop_token& stop);
  Batch make(std::int64_t step) const;

  const std::vector<TrainingPicture>& pictures_;
  const Preprocessor& preprocessor_;
  Options options_;
  std::int64_t per_epoch_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::int64_t, Batch> ready_;
  std::int64_t next_to_make_ = -1;  // -1: nobody has asked yet
  std::int64_t next_to_give_ = 0;
  double waited_ = 0;
  double since_ = 0;
  std::vector<std::jthread> threads_;  // last, so that they stop before the rest goes
};

}  // namespace xray
