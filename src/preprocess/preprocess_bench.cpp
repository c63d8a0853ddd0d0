#include "preprocess/preprocess.h"

#include <benchmark/benchmark.h>

#include <stdexcept>
#include <vector>

namespace {

using xray::Image;

/// A picture of the size in the arguments, any contents: the time does not depend on them.
template <typename Pixels>
Image picture(const benchmark::State& state) {
  const auto width = static_cast<int>(state.range(0));
  const auto height = static_cast<int>(state.range(1));
  Pixels pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<typename Pixels::value_type>(i * 7);
  return {width, height, std::move(pixels)};
}

/// From the decoded picture to the network's input of 224 x 224.
template <typename Pixels>
void preprocess(benchmark::State& state) {
  const Image image = picture<Pixels>(state);
  const xray::Preprocessor preprocessor({});
  std::vector<float> input(preprocessor.input_size());
  for (auto _ : state) {
    if (!preprocessor(image, input)) throw std::logic_error("the picture was refused");
    benchmark::DoNotOptimize(input.data());
  }
}
BENCHMARK(preprocess<Image::Pixels8>)->Args({600, 500})->Args({1232, 952})->Args({2720, 2440});
BENCHMARK(preprocess<Image::Pixels16>)->Args({600, 500});

}  // namespace
