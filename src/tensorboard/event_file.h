#pragma once

#include <filesystem>
#include <fstream>

namespace xray::tensorboard {
class Event;
}

namespace xray {

/// Seconds since 1970.
double wall_time();

/// An event file as TensorBoard reads it: TFRecords of Event messages, flushed one by one. Not thread-safe.
class EventFile {
 public:
  /// A new file in `directory`, which is made. Throws std::runtime_error where it cannot be opened.
  explicit EventFile(const std::filesystem::path& directory);

  void write(const tensorboard::Event& event);

 private:
  std::ofstream file_;
};

}  // namespace xray
