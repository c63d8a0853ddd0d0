#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"
#include "dataset/dataset.h"
#include "dataset/duplicates.h"
#include "dataset/picture_facts.h"
#include "metrics/metrics.h"
#include "report/page.h"

namespace xray {

/// Two of everything: by Label.
template <typename T>
using ByLabel = std::array<T, 2>;

/// How far a feature alone tells the classes apart: by the end of the AUC's interval
/// that lies nearer to 0.5, kNotable from 0.65 (or 0.35) on, kSerious from 0.8 (0.2) on.
Weight shortcut_weight(const Estimate& auc);

/// One feature over all readable pictures.
struct FeatureSummary {
  Feature feature{};
  Estimate auc;  ///< of the feature as a score for pneumonia: below 0.5 where normal films have more of it
  struct Quartiles {
    double low = 0;
    double median = 0;
    double high = 0;
  };
  ByLabel<Quartiles> quartiles;  ///< NaN without pictures
  std::vector<double> edges;     ///< of the histogram; what lies beyond counts in the outer bins
  ByLabel<std::vector<std::int64_t>> counts;
  Weight shortcut = Weight::kFine;
};

/// Everything found in a folder of labelled pictures.
struct Exploration {
  Dataset dataset;
  std::vector<std::optional<PictureFacts>> facts;  ///< one per sample; nothing where it was not read
  Unreadable unreadable;
  ByLabel<std::int64_t> readable{};
  ByLabel<std::array<double, kIntensityBins>> intensities{};  ///< sums over pictures of shares of pixels
  ByLabel<std::vector<double>> sums;                          ///< of PictureView::plane
  Duplicates duplicates;
};

/// Adds up pictures one by one, so that no more than one is held. Not thread-safe.
class Explorer {
 public:
  explicit Explorer(Dataset dataset);

  const Dataset& dataset() const { return exploration_.dataset; }

  /// What became of the next sample; they come in the data set's order.
  void add(Result<MeasuredPicture> picture);

  /// Once all were added: compares them with each other. Nothing where `stop` was requested.
  std::optional<Exploration> finish(int threads = 0, const std::stop_token& stop = {}) &&;

 private:
  Exploration exploration_;
};

/// One per Feature, in its order.
std::vector<FeatureSummary> summarise_features(const Exploration& exploration);

/// A patient with pictures on several sides of the folders' own split.
struct Leak {
  std::string patient;
  std::array<std::int64_t, 3> pictures{};  ///< by Split
};

std::vector<Leak> find_leaks(const Dataset& dataset);

/// What a group of duplicates puts in doubt.
struct Conflict {
  bool labels = false;    ///< both classes
  bool sides = false;     ///< several sides of the folders' own split
  bool patients = false;  ///< several patients
};

Conflict conflict_of(const Dataset& dataset, const DuplicateGroup& group);

/// What should be known before these pictures train or measure anything, gravest first.
std::vector<Notice> notices(const Exploration& exploration);

/// How long lists may be.
struct ListLimits {
  std::size_t entries = std::numeric_limits<std::size_t>::max();
  std::size_t members = std::numeric_limits<std::size_t>::max();  ///< of one group of duplicates
};

/// All figures; lists hold what is gravest first, and say how many there are. Pictures
/// that it speaks of are named through `names`.
nlohmann::ordered_json to_json(const Exploration& exploration, PictureNames& names,
                               const ListLimits& limits = {});

/// {"normal", "pneumonia", "difference"} as data URIs, the last with "difference_range",
/// the gray levels that its full colours stand for; a class without pictures is left out.
nlohmann::ordered_json mean_pictures(const Exploration& exploration);

}  // namespace xray
