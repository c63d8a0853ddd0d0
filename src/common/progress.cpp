#include "common/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace xray {
namespace {

constexpr double kFirstDraw = 0.5;  // seconds
constexpr double kDrawEvery = 0.1;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

/// 75 -> "1:15", 3675 -> "1:01:15".
std::string duration(double seconds) {
  constexpr double kLongest = 359999;  // 99:59:59
  const auto whole = static_cast<std::int64_t>(std::min(std::ceil(seconds), kLongest));
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%d:%02d:%02d", static_cast<int>(whole / 3600),
                  static_cast<int>(whole / 60 % 60), static_cast<int>(whole % 60));
  } else {
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(whole / 60), static_cast<int>(whole % 60));
  }
  return text;
}

}  // namespace

std::string progress_line(const std::string& label, std::size_t done, std::size_t total, double seconds,
                          std::size_t width) {
  constexpr std::size_t kBar = 20;
  std::string line = label + "  ";
  if (total > 0) {
    const std::size_t filled = std::min(done, total) * kBar / total;
    line += "[" + std::string(filled, '#') + std::string(kBar - filled, '.') + "]  ";
  }
  line += std::to_string(done);
  if (total > 0) line += "/" + std::to_string(total);
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  if (rate > 0) line += format(rate < 10 ? "  %.2f/s" : "  %.1f/s", rate);
  if (done >= total)
    line += "  " + duration(seconds);
  else if (rate > 0)
    line += "  " + duration(static_cast<double>(total - done) / rate) + " left";
  return line.substr(0, width);
}

Progress::Progress(std::string label, std::size_t total)
    : label_(std::move(label)),
      total_(total),
      visible_(::isatty(STDERR_FILENO) == 1),
      next_draw_(kFirstDraw) {}

Progress::~Progress() {
  clear();
}

void Progress::advance(std::size_t steps) {
  const std::lock_guard lock(mutex_);
  done_ += steps;
  const double now = seconds();
  if (!visible_ || now < next_draw_) return;
  next_draw_ = now + kDrawEvery;
  erase();
  // One column stays free: a full line would wrap on some terminals.
  const std::string line = progress_line(label_, done_, total_, now, terminal_width() - 1);
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  erase();
}

void Progress::erase() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace xray
