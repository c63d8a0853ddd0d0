#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "serve/models/model_set.h"

namespace xray {

/// Which version is asked in the background.
struct ShadowTarget {
  std::string name;
  std::string which;  ///< a version, else a label; empty: the newest version
};

/// "NAME" or "NAME:VERSION-OR-LABEL". kInvalidArgument.
Result<ShadowTarget> parse_shadow_target(std::string_view text);

/// How much a shadow may cost.
struct ShadowOptions {
  double share = 100;                      ///< of the primary's pictures, per cent
  int max_busy = 0;                        ///< pictures being answered beside which it still goes to work
  std::size_t max_waiting = 16;            ///< pictures
  std::size_t max_bytes = 64ULL << 20U;    ///< of all that wait
  std::chrono::seconds log_interval{600};  ///< between two lines on how they agree
};

/// What came of it, since these two versions have stood against each other; all zero where another
/// version takes either's place.
struct ShadowCounts {
  std::string primary;         ///< ServedModel::id(); both empty before the first picture
  std::string shadow;          ///< likewise
  std::uint64_t taken = 0;     ///< pictures to be asked about
  std::uint64_t dropped = 0;   ///< more than could wait
  std::uint64_t compared = 0;  ///< pictures that both have read
  std::uint64_t agreed = 0;    ///< of these, with the same verdict
  std::uint64_t failed = 0;    ///< pictures that only the primary could read
  std::uint64_t measured = 0;  ///< of those compared, with percentages from both
  double difference_sum = 0;   ///< of these, between the two percentages of pneumonia, without sign

  double mean_difference() const {
    return measured == 0 ? 0 : difference_sum / static_cast<double>(measured);
  }
};

/// Asks a second version about pictures that the primary has answered, and counts how the two agree.
/// One thread of low priority does so while few answers are being made (the networks themselves are
/// computed by OpenVINO's threads, whose priority is that of all), and what it cannot keep up with is
/// dropped: answers wait for a copy of the picture and no more. Pictures that came as pixels are not
/// asked about.
class Shadow final : public FindingObserver {
 public:
  /// `models` outlives the shadow.
  Shadow(const ModelSet& models, ShadowTarget target, const ShadowOptions& options = {});
  /// Lets what waits be.
  ~Shadow() override;
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  void on_finding(const ServedModel& model, std::span<const std::byte> picture,
                  const Result<Finding>& finding) override;

  /// From any thread.
  ShadowCounts snapshot() const;

  /// The version that is asked just now. kNotFound.
  Result<ModelHandle> asked() const;

 private:
  struct Task {
    ModelHandle model;
    std::string primary;
    Bytes picture;
    Verdict verdict;
    double pneumonia;
  };

  void run(const std::stop_token& stop);
  /// Room for a picture of `size` bytes; counted as dropped where there is none.
  bool reserve(const std::string& primary, const std::string& shadow, std::size_t size);
  void release(std::size_t size);
  void compare(const Task& task);
  void count_for(const std::string& primary, const std::string& shadow);

  const ModelSet& models_;
  const ShadowTarget target_;
  const ShadowOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Task> waiting_;
  std::size_t reserved_ = 0;        ///< pictures waiting or being copied
  std::size_t reserved_bytes_ = 0;  ///< of these
  ShadowCounts counts_;
  std::uint64_t logged_ = 0;  ///< counts_.compared in the last line
  std::jthread thread_;
};

}  // namespace xray
