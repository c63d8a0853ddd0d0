#include "common/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

namespace xray {

Progress::Progress(std::string what, std::size_t total, std::string unit)
    : what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      started_(Clock::now()) {}

Progress::~Progress() {
  clear();
}

void Progress::start_at(std::size_t done) {
  begin_ = done_ = done;
  started_ = Clock::now();
}

void Progress::set(std::size_t done, std::string note) {
  done_ = done;
  if (!note.empty()) note_ = std::move(note);
  constexpr auto kInterval = std::chrono::milliseconds(100);
  const auto now = Clock::now();
  if (!terminal_ || (now - last_draw_ < kInterval && done_ < total_)) return;
  last_draw_ = now;
  draw();
}

void Progress::clear() {
  if (!drawn_) return;
  std::cerr << "\r\033[K" << std::flush;
  drawn_ = false;
}

void Progress::draw() {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_ - begin_) / seconds : 0;
  constexpr std::size_t kBar = 24;
  const std::size_t filled = total_ > 0 ? kBar * done_ / total_ : kBar;
  std::ostringstream line;
  line << "\r\033[K" << what_ << " [" << std::string(filled, '#') << std::string(kBar - filled, '.') << "] "
       << done_ << '/' << total_ << ' ' << unit_;
  if (rate > 0) {
    line << ", " << std::setprecision(3) << rate << "/s";
    if (done_ < total_)
      line << ", " << format_duration(static_cast<double>(total_ - done_) / rate) << " left";
  }
  if (!note_.empty()) line << ", " << note_;
  std::cerr << line.str() << std::flush;
  drawn_ = true;
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<long>(std::lround(std::max(seconds, 0.0)));
  char text[64];
  if (whole < 60) {
    std::snprintf(text, sizeof text, "%ld s", whole);
  } else if (whole < 3600) {
    std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld h %02ld min", whole / 3600, whole % 3600 / 60);
  }
  return text;
}

}  // namespace xray
