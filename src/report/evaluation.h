#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "dataset/dataset.h"
#include "diagnose/diagnoser.h"
#include "metrics/metrics.h"
#include "report/page.h"

namespace xray {

/// What a model said of one picture.
struct Judgement {
  std::size_t sample = 0;
  double probability = 0;          ///< of pneumonia
  std::optional<Subtype> subtype;  ///< the likelier kind, should it be pneumonia
  int width = 0;                   ///< of the picture in the file
  int height = 0;
  bool uncertain = false;
};

/// A model's answers to labelled pictures.
struct Evaluation {
  Dataset dataset;
  ModelCard card;
  double threshold = 0.5;
  std::vector<Judgement> judgements;  ///< of the readable pictures, in the data set's order
  Unreadable unreadable;
};

std::vector<ScoredCase> scored_cases(const Evaluation& evaluation);

/// Bacterial against viral, over the pictures of pneumonia of which both the file name
/// and the model tell the kind.
struct Kinds {
  std::array<std::array<std::int64_t, 2>, 2>
      counts{};  ///< [told by the name][said by the model], bacterial first
  std::int64_t n = 0;
  Estimate accuracy;
};

Kinds compare_kinds(const Evaluation& evaluation);

/// Pictures that have something in common.
struct Subgroup {
  std::string by;    ///< "kind", "group", "size"
  std::string name;  ///< "bacterial", "IM", "up to 0.9 megapixels"
  std::int64_t normal = 0;
  std::int64_t pneumonia = 0;
  Estimate accuracy;
  Estimate sensitivity;
  Estimate specificity;
  /// Where the subgroup holds one class only, against all pictures of the other one.
  Estimate auc;
};

/// By kind of pneumonia, by group of file names, and by thirds of the pictures' sizes;
/// what would be the whole again is left out.
std::vector<Subgroup> subgroups(const Evaluation& evaluation);

/// Misread pictures of one class, those farthest from the threshold (in log-odds) first.
std::vector<Judgement> mistakes(const Evaluation& evaluation, Label label);

/// Everything that the page tells, `metrics` being those of the evaluation; `most`
/// mistakes per class are named.
nlohmann::ordered_json to_json(const Evaluation& evaluation, const Metrics& metrics, PictureNames& names,
                               std::size_t most);

/// Heat maps of the samples as transparent PNG data URIs, to be laid over their
/// thumbnails; samples without one are left out.
PictureUris heat_maps(const Dataset& dataset, const std::set<std::size_t>& samples,
                      const Diagnoser& diagnoser, int threads, const std::stop_token& stop = {});

}  // namespace xray
