#include "load/latencies.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace xray::load {

LatencySummary Latencies::summary() const {
  if (values_.empty()) return {};
  std::vector<std::chrono::nanoseconds> sorted = values_;
  std::ranges::sort(sorted);
  const auto milliseconds = [](std::chrono::nanoseconds value) {
    return std::chrono::duration<double, std::milli>(value).count();
  };
  const auto count = static_cast<double>(sorted.size());
  // In thousandths: 0.999 has no exact binary form, and a rank too high by one shows.
  const auto percentile = [&](double thousandths) {
    const auto rank = static_cast<std::size_t>(std::ceil(thousandths * count / 1000));
    return milliseconds(sorted[std::max<std::size_t>(rank, 1) - 1]);
  };
  const auto sum = std::accumulate(sorted.begin(), sorted.end(), std::chrono::nanoseconds{});
  return {.count = sorted.size(),
          .mean = milliseconds(sum) / count,
          .p50 = percentile(500),
          .p90 = percentile(900),
          .p99 = percentile(990),
          .p999 = percentile(999),
          .max = milliseconds(sorted.back())};
}

}  // namespace xray::load
