#include "image/decode.h"

#include <benchmark/benchmark.h>

#include <stdexcept>

#include "image/encode.h"

namespace {

/// A film of 1232 x 952 pixels, the median of the films at hand: slopes with some noise on them.
xray::Image film() {
  constexpr int kWidth = 1232;
  constexpr int kHeight = 952;
  xray::Image::Pixels8 pixels;
  std::uint32_t noise = 1;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      noise = noise * 1664525U + 1013904223U;
      pixels.push_back(static_cast<std::uint8_t>(x / 8 + y / 16 + static_cast<int>(noise >> 30U)));
    }
  }
  return {kWidth, kHeight, std::move(pixels)};
}

void decode(benchmark::State& state, const xray::Bytes& bytes, xray::DecodeSize size) {
  for (auto _ : state) {
    const xray::Result<xray::Image> image = xray::decode_image(bytes, {}, size);
    if (!image) throw std::logic_error(image.error().message);
    benchmark::DoNotOptimize(image->pixels8().data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}

void jpeg_whole(benchmark::State& state) {
  decode(state, xray::encode_jpeg(film()).value(), {});
}
BENCHMARK(jpeg_whole);

void jpeg_reduced(benchmark::State& state) {
  decode(state, xray::encode_jpeg(film()).value(), {336, 336});
}
BENCHMARK(jpeg_reduced);

void png(benchmark::State& state) {
  decode(state, xray::encode_png(film()).value(), {});
}
BENCHMARK(png);

}  // namespace
