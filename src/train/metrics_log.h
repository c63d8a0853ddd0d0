#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tensorboard/event_file.h"

namespace xray {

/// Named numbers of one step of training, in the order to be written.
using Scalars = std::vector<std::pair<std::string, double>>;

/// Appends a run's numbers to `metrics.jsonl` (one object per record) and to a
/// TensorBoard event file beside it, flushed record by record. A resumed run opens
/// a new event file; TensorBoard reads all of a folder. Not thread-safe.
class MetricsLog {
 public:
  /// Throws std::runtime_error where the files cannot be opened.
  explicit MetricsLog(const std::filesystem::path& directory);

  void write(std::int64_t step, const Scalars& scalars);

 private:
  std::ofstream lines_;
  EventFile events_;
};

}  // namespace xray
