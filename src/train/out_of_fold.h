#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "dataset/dataset.h"
#include "metrics/calibration.h"
#include "metrics/metrics.h"
#include "model/card.h"

namespace xray {

/// What a network that was not trained on a film's patient says of the film.
struct FoldScore {
  std::size_t sample = 0;  ///< index into the data set
  int fold = 0;
  std::vector<float> logits;  ///< one per class
};

/// The scores by their sample; they must outlive what is returned.
std::map<std::size_t, const FoldScore*> by_sample(const std::vector<FoldScore>& scores);

/// exp(logits) scaled to sum 1.
std::vector<double> softmax(const std::vector<float>& logits);

/// Truth and P(pneumonia) = 1 - P(normal) of each score.
std::vector<ScoredCase> pneumonia_cases(const Dataset& dataset, const std::vector<FoldScore>& scores);

/// With three classes, those of pneumonia of known kind.
std::vector<FoldScore> of_known_kind(const Dataset& dataset, const std::vector<FoldScore>& scores);

/// Truth viral and P(viral | pneumonia) of scores of_known_kind().
std::vector<ScoredCase> viral_cases(const Dataset& dataset, const std::vector<FoldScore>& scores);

/// Platt scaling of viral_cases(); identity without kinds.
PlattScaling fit_kind(const Dataset& dataset, const std::vector<FoldScore>& scores);

/// `cases` with Platt scaling fitted for each fold on the other folds alone; `cases` and
/// `scores` belong together.
std::vector<ScoredCase> cross_calibrated(const std::vector<ScoredCase>& cases,
                                         const std::vector<FoldScore>& scores);

/// AUC of `cases` with the weights of overlap (Li, Morgan and Zaslavsky 2018) from
/// `confounder`, the same films' P(pneumonia) by what is not the lungs: a film counts as much
/// as its dress speaks against its label. What dress alone tells comes out near 0.5.
double overlap_auc(const std::vector<ScoredCase>& cases, const std::vector<ScoredCase>& confounder);

/// CSV with a header: file (relative to the data set), label, subtype, group, patient,
/// fold, probability (of pneumonia, not calibrated), logit_<class>...
std::string to_csv(const Dataset& dataset, const std::vector<FoldScore>& scores, int classes);

/// Reads what to_csv() wrote, for the films `dataset` has; others are passed over. kNotFound, kIo;
/// kDamaged naming the line; kInvalidArgument where the classes are others or a film has no score.
Result<std::vector<FoldScore>> read_fold_scores(const std::filesystem::path& csv, const Dataset& dataset,
                                                int classes);

/// Whether the scores in `csv` are those of just the films of `held_out` (indices of samples), which its
/// network, then, was not trained on either. kInvalidArgument where not; kNotFound, kIo, kDamaged.
Result<Done> check_held_out(const std::filesystem::path& csv, const Dataset& dataset, int classes,
                            const std::set<std::size_t>& held_out);

/// How the threshold of the verdict is chosen on calibrated cases of patients not trained on.
enum class OperatingRule {
  kEqualErrors,   ///< as large a share of pneumonia missed as of normal films called ill
  kMostAccurate,  ///< most right answers on the set's own mixture of classes
  kHalf,          ///< 0.5, whatever the cases
  kSensitivity,   ///< highest threshold that keeps the wanted sensitivity
};

struct OperatingPoint {
  OperatingRule rule = OperatingRule::kEqualErrors;
  double sensitivity = 0;  ///< for kSensitivity
};

/// "equal-errors", "accuracy", "half", "sensitivity:0.98"; kInvalidArgument.
Result<OperatingPoint> operating_point_from(const std::string& text);
/// One sentence for the model card.
std::string describe(const OperatingPoint& point);

/// Where no verdict is to be given: the narrowest band around `threshold`, even in log-odds,
/// outside which the share `right` of the calibrated cases is right; or the widest that
/// leaves no more than the share `most` undecided.
Undecided choose_undecided(const std::vector<ScoredCase>& cases, double threshold, double right, double most);

/// Midway between the two neighbouring scores where the rule is met, within 0.01..0.99.
/// 0.5 where one of the classes is absent.
double choose_threshold(const std::vector<ScoredCase>& cases, const OperatingPoint& point);

}  // namespace xray
