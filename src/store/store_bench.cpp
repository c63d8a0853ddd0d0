#include <benchmark/benchmark.h>

#include <filesystem>
#include <stdexcept>

#include "store/store.h"

namespace {

/// The mean of hospitals' exports.
constexpr std::size_t kPicture = 250'000;

/// From a finding to its place on the disk: what an upload waits for beside its diagnosis.
void put(benchmark::State& state) {
  static const auto path = std::filesystem::temp_directory_path() / "xray_store_bench.sqlite";
  static const auto store = xray::open_store("sqlite:" + path.string()).value();
  xray::Bytes picture(kPicture);
  for (std::size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<std::byte>(i * i >> 7U);
  xray::Finding finding;
  finding.model = "bench 1";
  finding.normal = 99;
  finding.pneumonia = 1;
  for (auto _ : state)
    if (!store->put(finding, "film.jpeg", picture).ok()) throw std::runtime_error("the store refused");
}
BENCHMARK(put)->ThreadRange(1, 8)->UseRealTime();

}  // namespace
