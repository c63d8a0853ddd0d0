#include "train/out_of_fold.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "common/csv.h"
#include "common/file.h"
#include "train/picture_set.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Fields that stand before the logits.
constexpr std::size_t kFixedFields = 7;

template <typename Number>
bool parse(const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string> header(int classes) {
  std::vector<std::string> fields{"file", "label", "subtype", "group", "patient", "fold", "probability"};
  for (const std::string& name : class_names(classes)) fields.push_back("logit_" + name);
  return fields;
}

}  // namespace

std::map<std::size_t, const FoldScore*> by_sample(const std::vector<FoldScore>& scores) {
  std::map<std::size_t, const FoldScore*> result;
  for (const FoldScore& score : scores) result[score.sample] = &score;
  return result;
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) sum += p.emplace_back(std::exp(static_cast<double>(logit - highest)));
  for (double& value : p) value /= sum;
  return p;
}

std::vector<ScoredCase> pneumonia_cases(const Dataset& dataset, const std::vector<FoldScore>& scores) {
  std::vector<ScoredCase> cases;
  for (const FoldScore& score : scores) {
    const bool ill = dataset.samples[score.sample].label == Label::kPneumonia;
    cases.push_back({ill, 1 - softmax(score.logits)[0]});
  }
  return cases;
}

std::vector<FoldScore> of_known_kind(const Dataset& dataset, const std::vector<FoldScore>& scores) {
  std::vector<FoldScore> known;
  std::ranges::copy_if(scores, std::back_inserter(known), [&](const FoldScore& score) {
    const Subtype subtype = dataset.samples[score.sample].subtype;
    return score.logits.size() == 3 && (subtype == Subtype::kBacterial || subtype == Subtype::kViral);
  });
  return known;
}

std::vector<ScoredCase> viral_cases(const Dataset& dataset, const std::vector<FoldScore>& scores) {
  std::vector<ScoredCase> cases;
  for (const FoldScore& score : scores) {
    const double odds = static_cast<double>(score.logits[1] - score.logits[2]);
    cases.push_back({dataset.samples[score.sample].subtype == Subtype::kViral, 1 / (1 + std::exp(odds))});
  }
  return cases;
}

PlattScaling fit_kind(const Dataset& dataset, const std::vector<FoldScore>& scores) {
  return fit_platt(viral_cases(dataset, of_known_kind(dataset, scores)));
}

std::vector<ScoredCase> cross_calibrated(const std::vector<ScoredCase>& cases,
                                         const std::vector<FoldScore>& scores) {
  std::set<int> folds;
  for (const FoldScore& score : scores) folds.insert(score.fold);
  std::vector<ScoredCase> result = cases;
  for (const int fold : folds) {
    std::vector<ScoredCase> others;
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (scores[i].fold != fold) others.push_back(cases[i]);
    const PlattScaling scaling = fit_platt(others);
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (scores[i].fold == fold) result[i].probability = apply(scaling, cases[i].probability);
  }
  return result;
}

double overlap_auc(const std::vector<ScoredCase>& cases, const std::vector<ScoredCase>& confounder) {
  std::vector<std::size_t> order(cases.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return cases[i].probability; });
  double below = 0;  // weight of normal films with a lower probability
  double concordant = 0;
  double ill = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    double tied_normal = 0;
    double tied_ill = 0;
    std::size_t end = begin;
    for (; end < order.size() && cases[order[end]].probability <= cases[order[begin]].probability; ++end) {
      const double dress = confounder[order[end]].probability;
      if (cases[order[end]].positive)
        tied_ill += 1 - dress;
      else
        tied_normal += dress;
    }
    concordant += tied_ill * (below + tied_normal / 2);
    ill += tied_ill;
    below += tied_normal;
    begin = end;
  }
  return concordant / (ill * below);
}

std::string to_csv(const Dataset& dataset, const std::vector<FoldScore>& scores, int classes) {
  std::ostringstream csv;
  csv.precision(7);
  std::string separator;
  for (const std::string& field : header(classes)) csv << std::exchange(separator, ",") << field;
  csv << '\n';
  for (const FoldScore& score : scores) {
    const Sample& sample = dataset.samples[score.sample];
    csv << csv_field(relative_name(dataset, sample)) << ',' << name(sample.label) << ','
        << name(sample.subtype) << ',' << csv_field(sample.group) << ',' << csv_field(sample.patient) << ','
        << score.fold << ',' << 1 - softmax(score.logits)[0];
    for (const float logit : score.logits) csv << ',' << logit;
    csv << '\n';
  }
  return csv.str();
}

namespace {

/// The scores of whichever films of `dataset` there are in the file.
Result<std::vector<FoldScore>> read_scores(const fs::path& csv, const Dataset& dataset, int classes) {
  constexpr std::uint64_t kMaxBytes = 1ULL << 30U;
  const Result<std::string> text = read_text(csv, kMaxBytes);
  if (!text) return with_context(text.error(), csv.string());
  std::map<std::string, std::size_t> sample_of;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i)
    sample_of.emplace(relative_name(dataset, dataset.samples[i]), i);

  CsvReader table(*text);
  const auto titles = table.row();
  if (!titles || *titles != header(classes))
    return Error{ErrorCode::kInvalidArgument,
                 csv.string() + ": not the scores of a cross-validation with these classes"};
  std::vector<FoldScore> scores;
  while (!table.at_end()) {
    const auto row = table.row();
    const std::vector<std::string> fields = row ? *row : std::vector<std::string>();
    FoldScore score;
    bool good =
        fields.size() == kFixedFields + static_cast<std::size_t>(classes) && parse(fields[5], score.fold);
    for (std::size_t i = kFixedFields; good && i < fields.size(); ++i)
      good = parse(fields[i], score.logits.emplace_back()) && std::isfinite(score.logits.back());
    if (!good)
      return Error{ErrorCode::kDamaged,
                   csv.string() + ": line " + std::to_string(table.line()) + " is damaged"};
    const auto sample = sample_of.find(fields[0]);
    if (sample == sample_of.end()) continue;
    score.sample = sample->second;
    scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace

Result<std::vector<FoldScore>> read_fold_scores(const fs::path& csv, const Dataset& dataset, int classes) {
  auto scores = read_scores(csv, dataset, classes);
  if (!scores) return scores.error();
  const auto score_of = by_sample(*scores);
  for (std::size_t i = 0; i < dataset.samples.size(); ++i)
    if (!score_of.contains(i) && class_of(dataset.samples[i], classes) >= 0)
      return Error{ErrorCode::kInvalidArgument,
                   csv.string() + ": has no score of " + dataset.samples[i].path.string()};
  return scores;
}

Result<Done> check_held_out(const fs::path& csv, const Dataset& dataset, int classes,
                            const std::set<std::size_t>& held_out) {
  const auto scores = read_scores(csv, dataset, classes);
  if (!scores) return scores.error();
  std::set<std::size_t> scored;
  for (const FoldScore& score : *scores) scored.insert(score.sample);
  if (scored != held_out)
    return Error{ErrorCode::kInvalidArgument,
                 csv.string() + ": that run was not kept from the same films as this one"};
  return Done{};
}

Result<OperatingPoint> operating_point_from(const std::string& text) {
  constexpr std::string_view kWanted = "sensitivity:";
  if (text == "equal-errors") return OperatingPoint{OperatingRule::kEqualErrors};
  if (text == "accuracy") return OperatingPoint{OperatingRule::kMostAccurate};
  if (text == "half") return OperatingPoint{OperatingRule::kHalf};
  OperatingPoint point{OperatingRule::kSensitivity};
  if (text.starts_with(kWanted) && parse(text.substr(kWanted.size()), point.sensitivity) &&
      point.sensitivity > 0 && point.sensitivity <= 1)
    return point;
  return Error{ErrorCode::kInvalidArgument,
               "no operating point '" + text + "' (equal-errors, accuracy, half, sensitivity:0.98)"};
}

std::string describe(const OperatingPoint& point) {
  switch (point.rule) {
    case OperatingRule::kEqualErrors:
      return "on patients not trained on, as large a share of pneumonia is missed as of normal films is "
             "called "
             "ill; unlike the point of most right answers this does not lean on how common pneumonia is in "
             "the set";
    case OperatingRule::kMostAccurate:
      return "most right answers on patients not trained on, at the set's own share of pneumonia";
    case OperatingRule::kHalf:
      return "0.5 of the calibrated probability";
    case OperatingRule::kSensitivity: {
      std::ostringstream text;
      text << "the highest that finds " << 100 * point.sensitivity
           << " % of pneumonia on patients not trained on";
      return text.str();
    }
  }
  return {};
}

double choose_threshold(const std::vector<ScoredCase>& cases, const OperatingPoint& point) {
  std::vector<ScoredCase> sorted = cases;
  std::sort(sorted.begin(), sorted.end(),
            [](const ScoredCase& a, const ScoredCase& b) { return a.probability < b.probability; });
  const auto positives = static_cast<double>(
      std::count_if(sorted.begin(), sorted.end(), [](const ScoredCase& c) { return c.positive; }));
  const double negatives = static_cast<double>(sorted.size()) - positives;
  if (positives == 0 || negatives == 0 || point.rule == OperatingRule::kHalf) return 0.5;

  // How far from what is wanted, if `missed` positives and `alarms` negatives are called wrong.
  const auto cost = [&](double missed, double alarms) {
    switch (point.rule) {
      case OperatingRule::kEqualErrors:
        return std::abs(missed / positives - alarms / negatives);
      case OperatingRule::kSensitivity:
        // Fewest alarms among the thresholds that miss no more than allowed.
        return missed > (1 - point.sensitivity) * positives + 1e-9 ? std::numeric_limits<double>::infinity()
                                                                   : alarms;
      case OperatingRule::kMostAccurate:
      case OperatingRule::kHalf:
        return missed + alarms;
    }
    return missed + alarms;
  };
  double missed = 0;
  double alarms = negatives;
  double best = 0.5;
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i + 1 < sorted.size(); ++i) {
    // The threshold rises past this case, which is now called normal.
    (sorted[i].positive ? missed : alarms) += sorted[i].positive ? 1 : -1;
    if (sorted[i + 1].probability <= sorted[i].probability) continue;
    if (cost(missed, alarms) >= smallest) continue;
    smallest = cost(missed, alarms);
    best = (sorted[i].probability + sorted[i + 1].probability) / 2;
  }
  return std::clamp(best, 0.01, 0.99);
}

Undecided choose_undecided(const std::vector<ScoredCase>& cases, double threshold, double right,
                           double most) {
  const auto log_odds = [](double p) { return std::log(p / (1 - p)); };
  const double centre = log_odds(threshold);
  std::vector<std::pair<double, bool>> by_distance;  // and whether it is right
  double correct = 0;
  for (const ScoredCase& c : cases) {
    const bool is_right = (c.probability >= threshold) == c.positive;
    by_distance.emplace_back(std::abs(log_odds(std::clamp(c.probability, 1e-9, 1 - 1e-9)) - centre),
                             is_right);
    correct += is_right ? 1 : 0;
  }
  std::ranges::sort(by_distance);
  const auto all = static_cast<double>(cases.size());
  double reach = 0;
  std::size_t undecided = 0;
  while (undecided < by_distance.size() && static_cast<double>(undecided + 1) <= most * all &&
         correct < right * (all - static_cast<double>(undecided))) {
    correct -= by_distance[undecided].second ? 1 : 0;
    reach = by_distance[undecided++].first;
  }
  if (undecided == 0) return {threshold, threshold};
  // Just beyond the last one taken in.
  reach += 1e-6;
  const auto probability = [](double x) { return 1 / (1 + std::exp(-x)); };
  return {probability(centre - reach), probability(centre + reach)};
}

}  // namespace xray
