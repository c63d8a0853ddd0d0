#pragma once

#include <cmath>
#include <cstddef>

namespace xray {

/// Pearson's correlation of two equally long lists of numbers; 0 where one does not vary.
template <typename List>
double correlation(const List& a, const List& b) {
  const auto n = static_cast<double>(a.size());
  double mean_a = 0;
  double mean_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    mean_a += static_cast<double>(a[i]) / n;
    mean_b += static_cast<double>(b[i]) / n;
  }
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double da = static_cast<double>(a[i]) - mean_a;
    const double db = static_cast<double>(b[i]) - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  constexpr double kNone = 1e-12;
  return aa * bb > kNone ? ab / std::sqrt(aa * bb) : 0;
}

}  // namespace xray
