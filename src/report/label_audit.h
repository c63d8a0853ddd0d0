#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "dataset/dataset.h"
#include "metrics/metrics.h"
#include "report/page.h"

namespace xray {

/// Scores of a table for the pictures of a data set.
struct Scores {
  std::vector<std::optional<double>> probabilities;  ///< of pneumonia, one per sample
  std::size_t unknown = 0;                           ///< rows that name no picture of the data set
};

/// A CSV table (RFC 4180, LF or CRLF) with a header; of its columns `file` (below the
/// data set's folder, or the path as it is scanned) and `probability` (of pneumonia,
/// 0..1; empty for none) count. kInvalidArgument, with the line's number, for anything
/// else: no such column, a quote that stays open, no number, a picture named twice.
Result<Scores> read_scores(std::string_view csv, const Dataset& dataset);

/// A picture whose score speaks against its label.
struct Suspect {
  std::size_t sample = 0;
  double probability = 0;  ///< of pneumonia
  /// The score for the other class reaches what that class's own pictures have on
  /// average: the off-diagonal of the confident joint (Northcutt 2021).
  bool likely = false;
};

/// What scores from outside say of the labels. They must come from models that did
/// not see the picture's patient, or the labels only confirm themselves.
struct LabelAudit {
  std::vector<Suspect> suspects;  ///< every scored picture, by the probability of its own label, lowest first
  std::int64_t scored = 0;
  std::int64_t unscored = 0;
  std::int64_t likely = 0;
  std::size_t unknown_rows = 0;
  Estimate auc;
};

LabelAudit audit_labels(const Dataset& dataset, const Scores& scores);

/// The worst `most` suspects, and the figures.
nlohmann::ordered_json to_json(const LabelAudit& audit, PictureNames& names, std::size_t most);

}  // namespace xray
