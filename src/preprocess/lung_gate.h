#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "image/exif.h"
#include "preprocess/lung_field.h"

namespace xray {

/// What a lung field is like, by which an upright frontal chest film is told from anything else:
/// where the lung network meets something it does not know, its field frays.
inline constexpr std::array kFieldFacts = {
    "likeness",  ///< correlation with the most alike of the templates, box on box
    "area",      ///< log of the share of the picture
    "doubt",     ///< log of undecided cells (0.1 to 0.9) by cells of lung
    "aspect",    ///< log of the box's width by its height, in shares of the picture
    "parts",     ///< log of the number of connected parts, specks and all
    "balance",   ///< cells of the second largest part by those of the largest
    "contrast",  ///< mean gray inside less that outside, in deviations of the picture
    "width",     ///< of the box, as a share of the picture
    "taper",     ///< cells in the upper third of the box by those in the lower third, log
};
using FieldFacts = std::array<double, kFieldFacts.size()>;

/// A lung field whose box is laid on a square grid: 0..1, row-major.
inline constexpr int kTemplateSide = 16;
using FieldTemplate = std::array<float, static_cast<std::size_t>(kTemplateSide) * kTemplateSide>;

/// Nothing where hardly any cell is lung.
std::optional<FieldTemplate> align_field(const LungField& field);

/// Facts of the field found on the 8-bit `film`; nothing where hardly any cell is lung.
std::optional<FieldFacts> field_facts(const Image& film, const LungField& field,
                                      const std::vector<FieldTemplate>& templates);

/// Tells films from what is none: logistic regression on the facts, their squares and products.
struct LungGate {
  std::vector<FieldTemplate> templates;  ///< mean fields of the kinds of film known
  FieldFacts mean{};                     ///< of each fact over the films trained on
  FieldFacts scale{};                    ///< its deviation
  /// Of 1, each standardised fact, and each product of two (i <= j), in that order.
  std::vector<double> weights;
  double threshold = 0;  ///< a film where the score is at least this
};

/// Number of LungGate::weights.
inline constexpr std::size_t kGateTerms =
    1 + kFieldFacts.size() + kFieldFacts.size() * (kFieldFacts.size() + 1) / 2;

/// 1, the standardised facts, their products. Facts are held within 6 deviations, so that
/// nothing far out can come back in by a square.
std::array<double, kGateTerms> gate_terms(const LungGate& gate, const FieldFacts& facts);

double gate_score(const LungGate& gate, const FieldFacts& facts);

/// Log-odds that the field is that of an upright frontal film; minus infinity without lungs.
double gate_score(const LungGate& gate, const Image& film, const LungField& field);

/// The 8-bit film with black for white.
Image inverted(const Image& film);

/// The 8-bit film as a viewer would turn it for the orientation.
Image turned(const Image& film, Orientation orientation);

}  // namespace xray
