#include "report/evaluation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>

#include "common/file.h"
#include "common/parallel.h"
#include "metrics/curves.h"
#include "metrics/metrics_json.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kScoreBins = 40;
/// Heat maps are smooth: the browser makes the rest of the size.
constexpr int kHeatSide = 96;

bool is_pneumonia(const Evaluation& evaluation, const Judgement& judgement) {
  return evaluation.dataset.samples[judgement.sample].label == Label::kPneumonia;
}

Json to_json(const Curve& curve) {
  Json points = Json::array();
  for (const CurvePoint& point : curve.points) points.push_back({point.threshold, point.x, point.y});
  Json band = Json::array();
  for (const BandPoint& point : curve.band)
    band.push_back({point.x, point.y.value, point.y.low, point.y.high});
  return {{"points", std::move(points)}, {"band", std::move(band)}};
}

Json thresholds_json(const std::vector<ScoredCase>& cases) {
  Json json = Json::array();
  for (const OperatingPoint& point : operating_points(cases))
    json.push_back({{"threshold", point.threshold},
                    {"sensitivity", to_json(point.sensitivity)},
                    {"specificity", to_json(point.specificity)}});
  return json;
}

Json reliability_json(const std::vector<ScoredCase>& cases) {
  Json json = Json::array();
  for (const ReliabilityBin& bin : reliability(cases))
    json.push_back({{"low", bin.low},
                    {"high", bin.high},
                    {"n", bin.normal + bin.pneumonia},
                    {"mean_probability", bin.mean_probability},
                    {"observed", to_json(bin.observed)}});
  return json;
}

Json scores_json(const std::vector<ScoredCase>& cases) {
  Json json{{"bins", kScoreBins}, {"normal", Json::array()}, {"pneumonia", Json::array()}};
  for (const ReliabilityBin& bin : reliability(cases, kScoreBins)) {
    json["normal"].push_back(bin.normal);
    json["pneumonia"].push_back(bin.pneumonia);
  }
  return json;
}

Json to_json(const Subgroup& group) {
  return {{"by", group.by},
          {"name", group.name},
          {"normal", group.normal},
          {"pneumonia", group.pneumonia},
          {"accuracy", to_json(group.accuracy)},
          {"sensitivity", to_json(group.sensitivity)},
          {"specificity", to_json(group.specificity)},
          {"auc", to_json(group.auc)}};
}

Json to_json(const Kinds& kinds) {
  if (kinds.n == 0) return {};
  const auto row = [](const std::array<std::int64_t, 2>& said) {
    return Json{{"bacterial", said[0]}, {"viral", said[1]}};
  };
  return {{"n", kinds.n},
          {"accuracy", to_json(kinds.accuracy)},
          {"bacterial", row(kinds.counts[0])},
          {"viral", row(kinds.counts[1])}};
}

double log_odds(double probability) {
  const double bounded = std::clamp(probability, 1e-12, 1 - 1e-12);
  return std::log(bounded / (1 - bounded));
}

}  // namespace

std::vector<ScoredCase> scored_cases(const Evaluation& evaluation) {
  std::vector<ScoredCase> cases;
  cases.reserve(evaluation.judgements.size());
  for (const Judgement& judgement : evaluation.judgements)
    cases.push_back({is_pneumonia(evaluation, judgement), judgement.probability});
  return cases;
}

Kinds compare_kinds(const Evaluation& evaluation) {
  Kinds kinds;
  for (const Judgement& judgement : evaluation.judgements) {
    const Subtype truth = evaluation.dataset.samples[judgement.sample].subtype;
    if (!judgement.subtype || (truth != Subtype::kBacterial && truth != Subtype::kViral)) continue;
    ++kinds.counts[truth == Subtype::kViral ? 1 : 0][judgement.subtype == Subtype::kViral ? 1 : 0];
    ++kinds.n;
  }
  kinds.accuracy = proportion(kinds.counts[0][0] + kinds.counts[1][1], kinds.n);
  return kinds;
}

std::vector<Subgroup> subgroups(const Evaluation& evaluation) {
  using Key = std::function<std::string(const Judgement&)>;
  const std::vector<ScoredCase> all = scored_cases(evaluation);

  std::vector<double> megapixels;
  megapixels.reserve(evaluation.judgements.size());
  const auto size_of = [](const Judgement& j) { return 1e-6 * j.width * j.height; };
  for (const Judgement& judgement : evaluation.judgements) megapixels.push_back(size_of(judgement));
  std::sort(megapixels.begin(), megapixels.end());
  const double small = megapixels.empty() ? 0 : megapixels[megapixels.size() / 3];
  const double medium = megapixels.empty() ? 0 : megapixels[2 * megapixels.size() / 3];
  const std::string small_name = fmt::format("small, up to {:.3g} megapixels", small);
  const std::string medium_name = fmt::format("medium, up to {:.3g} megapixels", medium);

  const std::array<std::pair<const char*, Key>, 3> ways{{
      {"kind",
       [&](const Judgement& j) {
         const Subtype kind = evaluation.dataset.samples[j.sample].subtype;
         return std::string(kind == Subtype::kNone      ? ""
                            : kind == Subtype::kUnknown ? "kind not told"
                                                        : name(kind));
       }},
      {"group", [&](const Judgement& j) { return evaluation.dataset.samples[j.sample].group; }},
      {"size",
       [&](const Judgement& j) {
         const double size = size_of(j);
         return size <= small ? small_name : size <= medium ? medium_name : "large";
       }},
  }};
  std::vector<Subgroup> groups;
  for (const auto& [by, key] : ways) {
    std::map<std::string, std::vector<ScoredCase>> members;
    for (std::size_t i = 0; i < all.size(); ++i) members[key(evaluation.judgements[i])].push_back(all[i]);
    members.erase("");  // of no kind
    for (auto& [name, cases] : members) {
      if (cases.size() == all.size()) continue;
      const Metrics own = measure(cases, evaluation.threshold, 0);
      const Confusion& c = own.confusion;
      Subgroup group{.by = by,
                     .name = name,
                     .normal = c.true_negative + c.false_positive,
                     .pneumonia = c.true_positive + c.false_negative,
                     .accuracy = own.accuracy,
                     .sensitivity = own.sensitivity,
                     .specificity = own.specificity,
                     .auc = own.auc};
      if (group.normal == 0 || group.pneumonia == 0) {
        const bool missing = group.pneumonia == 0;
        std::copy_if(all.begin(), all.end(), std::back_inserter(cases),
                     [&](const ScoredCase& scored) { return scored.positive == missing; });
        group.auc = measure(cases, evaluation.threshold, 0).auc;
      }
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

std::vector<Judgement> mistakes(const Evaluation& evaluation, Label label) {
  std::vector<Judgement> wrong;
  for (const Judgement& judgement : evaluation.judgements) {
    const bool called_ill = judgement.probability >= evaluation.threshold;
    if (evaluation.dataset.samples[judgement.sample].label == label &&
        called_ill != (label == Label::kPneumonia))
      wrong.push_back(judgement);
  }
  const double limit = log_odds(evaluation.threshold);
  std::sort(wrong.begin(), wrong.end(), [&](const Judgement& a, const Judgement& b) {
    const double of_a = std::abs(log_odds(a.probability) - limit);
    const double of_b = std::abs(log_odds(b.probability) - limit);
    return of_a != of_b ? of_a > of_b : a.sample < b.sample;
  });
  return wrong;
}

Json to_json(const Evaluation& evaluation, const Metrics& metrics, PictureNames& names, std::size_t most) {
  const std::vector<ScoredCase> cases = scored_cases(evaluation);
  Json json{{"pictures", evaluation.dataset.samples.size()},
            {"model", evaluation.card.id()},
            {"threshold", evaluation.threshold},
            {"card_threshold", evaluation.card.threshold},
            {"metrics", to_json(metrics)},
            {"roc", to_json(roc_curve(cases))},
            {"precision_recall", to_json(precision_recall_curve(cases))},
            {"thresholds", thresholds_json(cases)},
            {"reliability", reliability_json(cases)},
            {"scores", scores_json(cases)},
            {"kinds", to_json(compare_kinds(evaluation))},
            {"subgroups", Json::array()}};
  for (const Subgroup& group : subgroups(evaluation)) json["subgroups"].push_back(to_json(group));
  for (const Label label : {Label::kNormal, Label::kPneumonia}) {
    const std::vector<Judgement> wrong = mistakes(evaluation, label);
    Json list = Json::array();
    for (std::size_t i = 0; i < std::min(most, wrong.size()); ++i) {
      Json entry = names(wrong[i].sample);
      entry["probability"] = wrong[i].probability;
      list.push_back(std::move(entry));
    }
    json["mistakes"][name(label)] = {{"pictures", wrong.size()}, {"list", std::move(list)}};
  }
  json["card"] = to_json(evaluation.card);
  json["unreadable"] = unreadable_pictures(evaluation.dataset, evaluation.unreadable, most);
  return json;
}

PictureUris heat_maps(const Dataset& dataset, const std::set<std::size_t>& samples,
                      const Diagnoser& diagnoser, int threads, const std::stop_token& stop) {
  const std::vector<std::size_t> wanted(samples.begin(), samples.end());
  PictureUris pictures;
  parallel_ordered(
      wanted.size(), threads, 4 * thread_count(threads),
      [&](std::size_t i) -> std::string {
        const auto bytes = read_file(dataset.samples[wanted[i]].path, diagnoser.limits().max_bytes);
        if (!bytes) return {};
        const auto finding = diagnoser.diagnose(*bytes);
        if (!finding) return {};
        const auto heat = diagnoser.heat_for(*finding, *bytes);
        if (!heat || heat->empty()) return {};
        const auto map = render_heatmap(*heat, kHeatSide, kHeatSide);
        return map ? data_uri("image/png", *map) : std::string();
      },
      [&](std::size_t i, std::string uri) {
        if (!uri.empty()) pictures.emplace(wanted[i], std::move(uri));
      },
      stop);
  return pictures;
}

}  // namespace xray
