#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace xray {

/// One line on stderr that says how far long work has come, with rate and time
/// left; nothing at all where stderr is no terminal. Redrawn at most ten times a
/// second. Not thread-safe.
class Progress {
 public:
  /// `what` is being done `total` times over to `unit` ("pictures").
  Progress(std::string what, std::size_t total, std::string unit = "pictures");
  /// Clears the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more is done.
  void advance() { set(done_ + 1); }
  /// `done` of the total; `note` replaces the note after the numbers.
  void set(std::size_t done, std::string note = {});
  /// Work that was done before counts neither for the rate nor for the time left.
  void start_at(std::size_t done);
  /// Takes the line away, for other output; the next set() draws it again.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void draw();

  std::string what_;
  std::string unit_;
  std::string note_;
  std::size_t total_;
  std::size_t begin_ = 0;
  std::size_t done_ = 0;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point started_;
  Clock::time_point last_draw_;
};

/// "42 s", "3 min 05 s", "2 h 07 min".
std::string format_duration(double seconds);

}  // namespace xray
