#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

namespace xray {

/// Random numbers that are the same on every machine, which the standard's
/// distributions and std::shuffle are not. SplitMix64 (Steele, Lea and Flood
/// 2014): 64 bits of state, period 2^64, any seed is a good seed. Copying it
/// copies the state, so that a run can be resumed. Not for secrets, not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) : state_(seed) {}

  /// Uniform over all 64-bit numbers.
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    return mix(state_);
  }

  /// Uniform in [0, 1), in steps of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform in 0..n-1, without bias (Lemire 2019). `n` at least 1.
  std::uint64_t below(std::uint64_t n) {
    __extension__ using Wide = unsigned __int128;
    const std::uint64_t reject_below = (0 - n) % n;
    for (;;) {
      const Wide product = static_cast<Wide>(next()) * n;
      if (static_cast<std::uint64_t>(product) >= reject_below)
        return static_cast<std::uint64_t>(product >> 64U);
    }
  }

  /// Standard normal (Box and Muller 1958). Equal among machines up to the last
  /// bits of the mathematics library.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

  /// Every order equally likely (Fisher and Yates, as Durstenfeld 1964).
  template <typename T>
  void shuffle(std::span<T> items) {
    for (std::size_t left = items.size(); left > 1; --left)
      std::swap(items[left - 1], items[static_cast<std::size_t>(below(left))]);
  }

  /// Independent generator number `stream` of this seed: one per worker, sample
  /// or epoch. Leaves this one as it is.
  Random fork(std::uint64_t stream) const { return Random(mix(state_ ^ mix(stream + 0xD1B54A32D192ED03U))); }

  /// Everything there is to save: Random(state()) goes on where this one stands.
  std::uint64_t state() const { return state_; }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  std::uint64_t state_;
};

}  // namespace xray
