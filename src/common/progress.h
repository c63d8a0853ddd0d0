#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

namespace xray {

/// What Progress shows, at most `width` columns:
/// "reading  [####................]  200/1000  80.0/s  0:10 left", or without a
/// total (0) "reading  200  80.0/s  0:03". `done` counts up to `total`; the time
/// left assumes the average rate so far.
std::string progress_line(const std::string& label, std::size_t done, std::size_t total, double seconds,
                          std::size_t width);

/// A line on standard error that tells how far long work has come, how fast it
/// goes and when it will be done. Shows nothing where standard error is no
/// terminal, nor for work shorter than half a second. Thread-safe.
class Progress {
 public:
  /// `total` of 0: not known. Starts the clock.
  explicit Progress(std::string label, std::size_t total = 0);
  /// Erases the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::size_t steps = 1);
  /// Erases the line, so that something else can be printed; the next advance() may bring it back.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  void erase();

  const std::string label_;
  const std::size_t total_;
  const Clock::time_point start_ = Clock::now();
  const bool visible_;
  std::mutex mutex_;
  std::size_t done_ = 0;
  double next_draw_;
  bool drawn_ = false;  ///< whether the line stands on the terminal now
};

}  // namespace xray
