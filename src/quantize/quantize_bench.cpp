// The network that ships, in floats and in 8 bit, one picture at a time on one core.
#include <benchmark/benchmark.h>

#include <stdexcept>
#include <vector>

#include "common/random.h"
#include "infer/backend.h"

namespace {

using namespace xray;

void infer(benchmark::State& state, Precision precision) {
  const auto package = load_package(XRAY_BENCH_PACKAGE);
  if (!package) throw std::runtime_error(package.error().message);
  const auto backend =
      make_openvino_backend(*package, {.threads = 1, .low_latency = true, .precision = precision});
  if (!backend) {
    state.SkipWithError(backend.error().message.c_str());
    return;
  }
  const auto& input = package->card.input;
  Random random(1);
  std::vector<float> picture(static_cast<std::size_t>(input.width) * static_cast<std::size_t>(input.height));
  for (float& value : picture) value = static_cast<float>(random.normal());
  for (auto _ : state)
    if (!(*backend)->infer(picture, 1)) throw std::runtime_error("inference failed");
}
BENCHMARK_CAPTURE(infer, fp32, Precision::kFp32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(infer, int8, Precision::kInt8)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
