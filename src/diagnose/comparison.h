#pragma once

#include <array>
#include <nlohmann/json.hpp>

#include "common/result.h"
#include "diagnose/finding.h"

namespace xray {

/// How one figure of severity moved between two films of a patient.
struct Change {
  double before = 0;
  double after = 0;
  double margin = 0;  ///< two exposures of the same chest differ by less, nine times in ten
  double difference() const { return after - before; }
  bool beyond_noise() const { return difference() > margin || difference() < -margin; }
};

/// A film beside an earlier one of the same patient.
struct Comparison {
  Change extent;  ///< per cent of the lung field
  Change score;   ///< 0..18
  std::array<Change, kZones> zones;

  enum class Course { kUnchanged, kBetter, kWorse };
  /// By the score and the extent: what moves beyond noise decides; where both do and disagree,
  /// the score. Single zones decide nothing, six chances being too many for nine in ten.
  Course course() const;
};

/// "unchanged", "better", "worse".
const char* name(Comparison::Course course);

/// kUnusable where one of them tells no severity; kInvalidArgument where they are of different
/// models, whose figures cannot be set against each other.
Result<Comparison> compare(const Finding& before, const Finding& after);

/// {"change", "extent": {"before", "after", "change", "margin", "beyond_noise"}, "score": {...},
/// "zones": [{"zone", "place", ...}]}, rounded to 0.1.
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace xray
