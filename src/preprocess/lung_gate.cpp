#include "preprocess/lung_gate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "common/correlation.h"

namespace xray {
namespace {

/// Cells that must be lung for there to be anything to describe: 0.4 % of the grid.
constexpr double kHardlyAny = 0.004;
constexpr double kMostDeviations = 6;

struct Box {
  int left = 0;
  int top = 0;
  int right = 0;  ///< behind the last
  int bottom = 0;
};

std::optional<Box> box_of(const LungField& field) {
  Box box{field.width, field.height, 0, 0};
  std::size_t cells = 0;
  for (int y = 0; y < field.height; ++y) {
    for (int x = 0; x < field.width; ++x) {
      if (!is_lung(field, x, y)) continue;
      ++cells;
      box.left = std::min(box.left, x);
      box.right = std::max(box.right, x + 1);
      box.top = std::min(box.top, y);
      box.bottom = std::max(box.bottom, y + 1);
    }
  }
  if (static_cast<double>(cells) < kHardlyAny * static_cast<double>(field.probability.size())) return {};
  return box;
}

FieldTemplate align(const LungField& field, const Box& box) {
  Image::Pixels8 levels;
  levels.reserve(field.probability.size());
  for (const float p : field.probability) levels.push_back(static_cast<std::uint8_t>(std::lround(p * 255)));
  const Frame frame{static_cast<double>(box.left), static_cast<double>(box.top),
                    static_cast<double>(box.right - box.left), static_cast<double>(box.bottom - box.top)};
  const Plane plane =
      resize(Image(field.width, field.height, std::move(levels)), frame, kTemplateSide, kTemplateSide);
  FieldTemplate aligned{};
  std::ranges::transform(plane.values, aligned.begin(), [](float level) { return level / 255; });
  return aligned;
}

}  // namespace

std::optional<FieldTemplate> align_field(const LungField& field) {
  const std::optional<Box> box = box_of(field);
  if (!box) return {};
  return align(field, *box);
}

std::optional<FieldFacts> field_facts(const Image& film, const LungField& field,
                                      const std::vector<FieldTemplate>& templates) {
  const std::optional<Box> box = box_of(field);
  if (!box) return {};
  const FieldTemplate aligned = align(field, *box);
  double likeness = -1;
  for (const FieldTemplate& known : templates) likeness = std::max(likeness, correlation(aligned, known));

  const auto count = [&](int top, int bottom) {
    double cells = 0;
    for (int y = top; y < bottom; ++y)
      for (int x = box->left; x < box->right; ++x) cells += is_lung(field, x, y) ? 1 : 0;
    return cells;
  };
  const double cells = count(box->top, box->bottom);
  const int height = box->bottom - box->top;
  const auto undecided = static_cast<double>(
      std::ranges::count_if(field.probability, [](float p) { return p > 0.1F && p < 0.9F; }));

  const Plane gray = resize(film, field.width, field.height);
  const auto all = static_cast<double>(gray.values.size());
  double sum = 0;
  double squares = 0;
  double inside = 0;
  for (std::size_t i = 0; i < gray.values.size(); ++i) {
    const auto level = static_cast<double>(gray.values[i]);
    sum += level;
    squares += level * level;
    if (field.probability[i] > kInLung) inside += level;
  }
  const double mean = sum / all;
  const double deviation = std::sqrt(std::max(squares / all - mean * mean, 1.0));
  const double contrast = (inside / cells - (sum - inside) / std::max(all - cells, 1.0)) / deviation;

  const std::vector<std::size_t> parts = part_sizes(field);
  return FieldFacts{
      likeness,
      std::log(cells / all),
      std::log(undecided / cells + 0.02),
      std::log(static_cast<double>(box->right - box->left) / field.width /
               (static_cast<double>(height) / field.height)),
      std::log(static_cast<double>(parts.size())),
      parts.size() > 1 ? static_cast<double>(parts[1]) / static_cast<double>(parts[0]) : 0,
      contrast,
      static_cast<double>(box->right - box->left) / field.width,
      std::log((count(box->top, box->top + height / 3) + 1) /
               (count(box->bottom - height / 3, box->bottom) + 1)),
  };
}

std::array<double, kGateTerms> gate_terms(const LungGate& gate, const FieldFacts& facts) {
  std::array<double, kGateTerms> terms{1};
  std::size_t at = 1;
  FieldFacts z{};
  for (std::size_t i = 0; i < z.size(); ++i)
    terms[at++] = z[i] =
        std::clamp((facts[i] - gate.mean[i]) / gate.scale[i], -kMostDeviations, kMostDeviations);
  for (std::size_t i = 0; i < z.size(); ++i)
    for (std::size_t j = i; j < z.size(); ++j) terms[at++] = z[i] * z[j];
  return terms;
}

double gate_score(const LungGate& gate, const FieldFacts& facts) {
  const auto terms = gate_terms(gate, facts);
  return std::inner_product(terms.begin(), terms.end(), gate.weights.begin(), 0.0);
}

double gate_score(const LungGate& gate, const Image& film, const LungField& field) {
  const auto facts = field_facts(film, field, gate.templates);
  return facts ? gate_score(gate, *facts) : -std::numeric_limits<double>::infinity();
}

Image inverted(const Image& film) {
  Image::Pixels8 pixels(film.pixels8().begin(), film.pixels8().end());
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  return {film.width(), film.height(), std::move(pixels)};
}

Image turned(const Image& film, Orientation orientation) {
  return turn_upright(film.width(), film.height(), {film.pixels8().begin(), film.pixels8().end()},
                      orientation);
}

}  // namespace xray
