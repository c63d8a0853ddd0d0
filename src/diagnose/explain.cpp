#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/grid.h"
#include "diagnose/diagnoser.h"

namespace xray {
namespace {

/// Cells of the heat map in each direction.
constexpr int kCells = 8;
/// Sides of what is covered, in cells: less than that hardly moves a score.
constexpr int kPatch = 2;

/// Pixels of the network's input from `begin` to `end` of the picture's share, within the input.
struct Range {
  int begin = 0;
  int end = 0;
};

/// Where cells `from` to `to` of the picture's `side` lie on the input of `input` pixels that sees the
/// picture from `start` on for `length`.
Range range_of(int from, int to, int side, double start, double length, int input) {
  const auto place = [&](int cell) {
    const double on_picture = double(cell) * side / kCells;
    return static_cast<int>(std::lround(std::clamp((on_picture - start) / length, 0.0, 1.0) * input));
  };
  return {place(from), place(to)};
}

}  // namespace

Result<HeatMap> Diagnoser::explain(const Image& image) const {
  if (lungs_) return Error{ErrorCode::kUnsupported, "this model's findings bring their heat maps"};
  const InputSpec& spec = preprocessor_.spec();
  std::vector<float> input(preprocessor_.input_size());
  if (auto prepared = preprocessor_(image, input); !prepared) return prepared.error();
  const auto log_odds = [&](std::span<const float> picture) -> Result<double> {
    const auto predictions = backend_->infer(picture, 1);
    if (!predictions) return predictions.error();
    const double odds = pneumonia_log_odds(card_, predictions->front().logits);
    if (!std::isfinite(odds)) return Error{ErrorCode::kInternal, "the network's answer is not a number"};
    return odds;
  };
  const auto before = log_odds(input);
  if (!before) return before.error();
  const auto mean = static_cast<float>(std::accumulate(input.begin(), input.end(), 0.0) /
                                       static_cast<double>(input.size()));
  const Frame seen = preprocessor_.seen(image);

  std::vector<double> evidence(std::size_t{kCells} * kCells);
  std::vector<int> covered(evidence.size());
  std::vector<float> patched;
  for (int top = 0; top + kPatch <= kCells; ++top) {
    for (int left = 0; left + kPatch <= kCells; ++left) {
      const Range rows = range_of(top, top + kPatch, image.height(), seen.y, seen.height, spec.height);
      const Range columns = range_of(left, left + kPatch, image.width(), seen.x, seen.width, spec.width);
      // What the network does not see says nothing.
      if (rows.begin == rows.end || columns.begin == columns.end) continue;
      patched = input;
      for (int y = rows.begin; y < rows.end; ++y)
        std::fill_n(patched.begin() + std::ptrdiff_t{y} * spec.width + columns.begin,
                    columns.end - columns.begin, mean);
      const auto without = log_odds(patched);
      if (!without) return without.error();
      for (int y = top; y < top + kPatch; ++y)
        for (int x = left; x < left + kPatch; ++x) {
          evidence[cell_at(x, y, kCells)] += *before - *without;
          ++covered[cell_at(x, y, kCells)];
        }
    }
  }
  for (std::size_t i = 0; i < evidence.size(); ++i) evidence[i] /= std::max(covered[i], 1);
  const double peak = *std::ranges::max_element(evidence);
  // As strong as that of class maps, whose evidence is in log-odds too.
  const double strength = 1 - std::exp(-std::max(0.0, peak) / 5);
  HeatMap heat{kCells, kCells, {}};
  for (const double e : evidence)
    heat.values.push_back(e > 0 ? static_cast<float>(strength * e / peak) : 0.0F);
  return heat;
}

Result<HeatMap> Diagnoser::explain(std::span<const std::byte> bytes) const {
  const auto image = decode(bytes);
  if (!image) return image.error();
  return explain(*image);
}

Result<HeatMap> Diagnoser::heat_for(const Finding& finding, std::span<const std::byte> bytes) const {
  if (!finding.heat.empty() || finding.is_rejected() || lungs_) return finding.heat;
  return explain(bytes);
}

}  // namespace xray
