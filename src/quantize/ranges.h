#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace xray {

/// The real numbers that 8-bit integers stand for: q * scale.
struct Grid {
  float scale = 1;
  bool is_signed = false;  ///< q is -128..127, else 0..255
};

/// What values a tensor takes over many pictures, gathered in two rounds: first
/// how far they reach, then how often each of kCells equal cells is met. Values
/// that are not finite are passed over. Not thread-safe.
class ValueHistogram {
 public:
  static constexpr std::size_t kCells = 2048;

  /// First round.
  void widen(std::span<const float> values);
  /// Second round, over the same values.
  void count(std::span<const float> values);

  /// The grid of 256 numbers around 0 that stands for the values with the least mean
  /// squared error, rounding and clipping together (Nagel et al. 2021, A White Paper
  /// on Neural Network Quantization, section 3.1). Signed where values lie below 0.
  Grid grid() const;

 private:
  double low_ = 0;
  double high_ = 0;
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kCells);
};

}  // namespace xray
