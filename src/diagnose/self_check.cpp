#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "diagnose/diagnoser.h"

namespace xray {
namespace {

constexpr int kSide = 256;

/// Whether (x, y) of the drawn chest lies in a lung.
bool in_lung(int x, int y) {
  const double across = std::abs((x + 0.5) / kSide - 0.5) - 0.2;
  const double down = (y + 0.5) / kSide - 0.5;
  return std::hypot(across / 0.14, down / 0.32) < 1;
}

/// Two dark lungs in a bright body, shaded so that no part is flat.
Image drawn_chest() {
  Image::Pixels8 pixels;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x)
      pixels.push_back(static_cast<std::uint8_t>((in_lung(x, y) ? 40 : 150) + (x + 3 * y) % 64));
  return {kSide, kSide, std::move(pixels)};
}

LungField drawn_lungs() {
  LungField field{kSide, kSide, {}};
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) field.probability.push_back(in_lung(x, y) ? 1.0F : 0.0F);
  return field;
}

Result<Done> check_finite(std::span<const float> values, const char* what) {
  if (!values.empty() && std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) return Done{};
  return Error{ErrorCode::kBadModel, std::string("self-check: ") + what + " are not numbers"};
}

}  // namespace

Result<Done> Diagnoser::self_check() const {
  const auto told = [](const Error& error) { return with_context(error, "self-check"); };
  const auto film = standard_film(drawn_chest());
  if (!film) return told(film.error());
  std::vector<float> input(preprocessor_.input_size());
  if (lungs_) {
    const auto found = lungs_->find(*film);
    if (!found) return told(found.error());
    if (auto checked = check_finite(found->probability, "the lungs"); !checked) return checked;
    // Where a network finds no lungs on a drawing, the others are still to be tried.
    const LungField lungs = drawn_lungs();
    if (const auto framed = preprocessor_(*film, lungs, input); !framed) return told(framed.error());
    if (severity_) {
      const auto map = severity_->finder->find(*film, lungs);
      if (!map) return told(map.error());
      if (auto checked = check_finite(map->opacity, "the opacities"); !checked) return checked;
    }
  } else if (const auto resized = preprocessor_(*film, input); !resized) {
    return told(resized.error());
  }
  const auto predictions = backend_->infer(input, 1);
  if (!predictions) return told(predictions.error());
  const Prediction& prediction = predictions->front();
  if (auto checked = check_finite(prediction.logits, "the logits"); !checked) return checked;
  if (!prediction.maps.empty())
    if (auto checked = check_finite(prediction.maps, "the maps"); !checked) return checked;
  const auto finding = diagnose(*film);
  if (!finding) return told(finding.error());
  return Done{};
}

}  // namespace xray
