#include "quantize/ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace xray {
namespace {

/// Ranges that are tried: every hundredth of the full one, down to this many.
constexpr int kSmallestRange = 20;

}  // namespace

void ValueHistogram::widen(std::span<const float> values) {
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    low_ = std::min(low_, static_cast<double>(value));
    high_ = std::max(high_, static_cast<double>(value));
  }
}

void ValueHistogram::count(std::span<const float> values) {
  if (!(high_ > low_)) return;
  const double per_cell = static_cast<double>(kCells) / (high_ - low_);
  for (const float value : values) {
    const double at = (static_cast<double>(value) - low_) * per_cell;
    if (!(at >= 0 && at <= kCells)) continue;
    ++counts_[std::min(static_cast<std::size_t>(at), kCells - 1)];
  }
}

Grid ValueHistogram::grid() const {
  const bool is_signed = low_ < 0;
  const double levels = is_signed ? 127 : 255;
  const double reach = std::max(-low_, high_);
  const double cell = (high_ - low_) / static_cast<double>(kCells);
  double best_scale = reach / levels;
  double least = std::numeric_limits<double>::infinity();
  for (int percent = 100; percent >= kSmallestRange; --percent) {
    const double limit = reach * percent / 100;
    const double scale = limit / levels;
    double error = 0;
    for (std::size_t i = 0; i < kCells; ++i) {
      const double clipped = std::abs(low_ + (static_cast<double>(i) + 0.5) * cell) - limit;
      // Rounding errors are spread evenly over a step, whose variance that is.
      error += static_cast<double>(counts_[i]) * (clipped > 0 ? clipped * clipped : scale * scale / 12);
    }
    if (error >= least) continue;
    least = error;
    best_scale = scale;
  }
  const auto scale = static_cast<float>(best_scale);
  return {std::isnormal(scale) ? scale : 1.0F, is_signed};
}

}  // namespace xray
