#include "serve/metrics/metrics.h"

#include <benchmark/benchmark.h>

namespace xray {
namespace {

/// What one upload costs in counting.
void count_an_upload(benchmark::State& state) {
  Metrics metrics;
  const ServedModel model{"pediatric", "2.1.0", nullptr, {}};
  Finding finding;
  finding.pneumonia = 30;
  finding.timing = {.decode = 4, .preprocess = 1, .infer = 9, .total = 14};
  const Result<Finding> result = finding;
  for (auto _ : state) {
    metrics.on_wait(std::chrono::microseconds(20));
    metrics.on_finding(model, {}, result);
    metrics.on_store("put", std::chrono::steady_clock::now(), false);
    metrics.on_exchange({"POST", "/api/v1/findings", 201, 1000, std::chrono::milliseconds(20)});
  }
}
BENCHMARK(count_an_upload);

/// What one scrape costs.
void tell(benchmark::State& state) {
  Metrics metrics;
  for (const char* route : {"/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h", "/i", "/j"})
    metrics.on_exchange({"GET", route, 200, 1000, std::chrono::milliseconds(20)});
  for (auto _ : state) benchmark::DoNotOptimize(metrics.text());
}
BENCHMARK(tell);

}  // namespace
}  // namespace xray
