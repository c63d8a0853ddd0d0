#pragma once

#include <chrono>
#include <vector>

namespace xray::load {

/// How long requests took, in milliseconds; zeros where there were none.
struct LatencySummary {
  std::size_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
};

/// Every latency of a run, so that percentiles are exact.
class Latencies {
 public:
  void add(std::chrono::nanoseconds latency) { values_.push_back(latency); }

  /// Percentiles by nearest rank: the smallest latency that a share of at least p/100
  /// of all does not exceed.
  LatencySummary summary() const;

 private:
  std::vector<std::chrono::nanoseconds> values_;
};

}  // namespace xray::load
