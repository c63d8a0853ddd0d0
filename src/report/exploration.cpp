#include "report/exploration.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "common/random.h"
#include "image/encode.h"
#include "metrics/metrics_json.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kLabels{Label::kNormal, Label::kPneumonia};
constexpr std::array kSides{Split::kTrain, Split::kValidation, Split::kTest};
constexpr int kHistogramBins = 32;
constexpr std::size_t kSamplesPerClass = 12;
constexpr std::size_t kSizesListed = 12;

std::size_t index(Label label) {
  return static_cast<std::size_t>(label);
}

template <typename T, typename ToJson>
Json by_label(const ByLabel<T>& values, ToJson to_json) {
  Json json;
  for (const Label label : kLabels) json[name(label)] = to_json(values[index(label)]);
  return json;
}

template <typename T>
Json by_label(const ByLabel<T>& values) {
  return by_label(values, [](const T& value) { return Json(value); });
}

/// Value at `share` of the way through sorted numbers; NaN without any.
double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  return std::lerp(sorted[below], sorted[std::min(below + 1, sorted.size() - 1)],
                   place - static_cast<double>(below));
}

FeatureSummary summarise(const Exploration& exploration, Feature feature) {
  FeatureSummary summary{.feature = feature};
  ByLabel<std::vector<double>> values;
  std::vector<double> all;
  for (std::size_t i = 0; i < exploration.facts.size(); ++i) {
    const auto& facts = exploration.facts[i];
    if (!facts) continue;
    all.push_back(facts->feature(feature));
    values[index(exploration.dataset.samples[i].label)].push_back(all.back());
  }
  std::sort(all.begin(), all.end());

  // As a score, only the order of the values matters: their ranks lie in 0..1.
  std::vector<ScoredCase> cases;
  for (const Label label : kLabels)
    for (const double value : values[index(label)]) {
      const auto rank = std::distance(all.begin(), std::lower_bound(all.begin(), all.end(), value));
      cases.push_back(
          {label == Label::kPneumonia, static_cast<double>(rank) / static_cast<double>(all.size())});
    }
  summary.auc = measure(cases, 0.5, 0).auc;
  summary.shortcut = shortcut_weight(summary.auc);

  // A few giants must not press all others into one bin.
  const double low = quantile(all, 0.005);
  const double high = quantile(all, 0.995);
  const int bins = high > low ? kHistogramBins : 1;
  for (int i = 0; i <= bins && !all.empty(); ++i)
    summary.edges.push_back(std::lerp(low, high, static_cast<double>(i) / bins));
  for (const Label label : kLabels) {
    std::vector<double>& own = values[index(label)];
    std::sort(own.begin(), own.end());
    summary.quartiles[index(label)] = {quantile(own, 0.25), quantile(own, 0.5), quantile(own, 0.75)};
    auto& counts = summary.counts[index(label)];
    counts.resize(summary.edges.empty() ? 0 : static_cast<std::size_t>(bins));
    for (const double value : own) {
      const double place = bins == 1 ? 0 : (value - low) / (high - low) * bins;
      ++counts[static_cast<std::size_t>(std::clamp(static_cast<int>(std::floor(place)), 0, bins - 1))];
    }
  }
  return summary;
}

std::string plain_name(Feature feature) {
  std::string words(name(feature));
  std::replace(words.begin(), words.end(), '_', ' ');
  words.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(words.front())));
  return words;
}

Json to_json(const FeatureSummary& summary) {
  return {{"name", name(summary.feature)},
          {"auc", to_json(summary.auc)},
          {"shortcut", summary.shortcut != Weight::kFine},
          {"serious", summary.shortcut == Weight::kSerious},
          {"quartiles", by_label(summary.quartiles,
                                 [](const FeatureSummary::Quartiles& q) {
                                   return Json{{"low", q.low}, {"median", q.median}, {"high", q.high}};
                                 })},
          {"edges", summary.edges},
          {"counts", by_label(summary.counts)}};
}

/// Pictures and patients per class, kind, group and side.
Json counts_json(const Dataset& dataset) {
  struct Count {
    std::int64_t pictures = 0;
    std::set<std::string> patients;
  };
  std::map<std::tuple<Label, Subtype, std::string, std::optional<Split>>, Count> counts;
  for (const Sample& sample : dataset.samples) {
    Count& count = counts[{sample.label, sample.subtype, sample.group, given_side(dataset, sample)}];
    ++count.pictures;
    count.patients.insert(sample.patient);
  }
  Json json = Json::array();
  for (const auto& [key, count] : counts) {
    const auto& [label, subtype, group, side] = key;
    json.push_back({{"label", name(label)},
                    {"subtype", name(subtype)},
                    {"group", group},
                    {"split", side ? Json(name(*side)) : Json()},
                    {"pictures", count.pictures},
                    {"patients", count.patients.size()}});
  }
  return json;
}

Json classes_json(const Exploration& exploration) {
  ByLabel<std::int64_t> pictures{};
  ByLabel<std::set<std::string>> patients;
  for (const Sample& sample : exploration.dataset.samples) {
    ++pictures[index(sample.label)];
    patients[index(sample.label)].insert(sample.patient);
  }
  Json json;
  for (const Label label : kLabels)
    json[name(label)] = {{"pictures", pictures[index(label)]},
                         {"patients", patients[index(label)].size()},
                         {"readable", exploration.readable[index(label)]}};
  return json;
}

/// How many patients of each class have 1, 2, ... films of it.
Json films_per_patient(const Dataset& dataset) {
  std::map<std::pair<Label, std::string>, std::int64_t> films;
  for (const Sample& sample : dataset.samples) ++films[{sample.label, sample.patient}];
  std::map<std::int64_t, ByLabel<std::int64_t>> patients;
  for (const auto& [key, count] : films) ++patients[count][index(key.first)];
  Json json = Json::array();
  for (const auto& [count, of_class] : patients) {
    Json entry{{"films", count}};
    entry.update(by_label(of_class));
    json.push_back(std::move(entry));
  }
  return json;
}

/// The commonest values first; `describe` gives the key of a picture as JSON.
template <typename Describe>
Json tally(const Exploration& exploration, std::size_t most, Describe describe) {
  std::map<std::string, std::pair<Json, ByLabel<std::int64_t>>> found;
  for (std::size_t i = 0; i < exploration.facts.size(); ++i) {
    const auto& facts = exploration.facts[i];
    if (!facts) continue;
    Json key = describe(*facts);
    auto& entry = found[key.dump()];
    entry.first = std::move(key);
    ++entry.second[index(exploration.dataset.samples[i].label)];
  }
  std::vector<std::pair<Json, ByLabel<std::int64_t>>> sorted;
  sorted.reserve(found.size());
  for (auto& [text, entry] : found) sorted.push_back(std::move(entry));
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    const std::int64_t of_a = a.second[0] + a.second[1];
    const std::int64_t of_b = b.second[0] + b.second[1];
    return of_a != of_b ? of_a > of_b : a.first < b.first;
  });
  Json json{{"distinct", sorted.size()}, {"list", Json::array()}};
  for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i) {
    sorted[i].first.update(by_label(sorted[i].second));
    json["list"].push_back(std::move(sorted[i].first));
  }
  return json;
}

std::string_view format_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kUnknown:
      break;
  }
  return "other";
}

/// Share of pixels per bin, averaged over the pictures of each class.
Json intensities_json(const Exploration& exploration) {
  Json json;
  for (const Label label : kLabels) {
    std::vector<double> shares;
    const auto n = static_cast<double>(exploration.readable[index(label)]);
    for (const double sum : exploration.intensities[index(label)]) shares.push_back(n > 0 ? sum / n : 0);
    json[name(label)] = shares;
  }
  return json;
}

/// How grave a group of duplicates is, for sorting: labels before sides before patients.
int gravity(const Conflict& conflict) {
  return (conflict.labels ? 4 : 0) + (conflict.sides ? 2 : 0) + (conflict.patients ? 1 : 0);
}

struct DuplicateTotals {
  std::int64_t groups = 0;
  std::int64_t surplus = 0;  ///< pictures that would go if one of each group stayed
  std::int64_t same_bytes = 0;
  std::int64_t across_labels = 0;
  std::int64_t across_sides = 0;
  std::int64_t across_patients = 0;
};

DuplicateTotals count_duplicates(const Exploration& exploration) {
  DuplicateTotals totals;
  for (const DuplicateGroup& group : exploration.duplicates.groups) {
    const Conflict conflict = conflict_of(exploration.dataset, group);
    ++totals.groups;
    totals.surplus += static_cast<std::int64_t>(group.members.size()) - 1;
    totals.same_bytes += group.same_bytes ? 1 : 0;
    totals.across_labels += conflict.labels ? 1 : 0;
    totals.across_sides += conflict.sides ? 1 : 0;
    totals.across_patients += conflict.patients ? 1 : 0;
  }
  return totals;
}

/// The members that make the conflict first: one of each class and side, then the others.
std::vector<std::size_t> telling_members(const Dataset& dataset, const DuplicateGroup& group) {
  std::set<std::pair<Label, std::optional<Split>>> seen;
  std::vector<std::size_t> telling;
  std::vector<std::size_t> others;
  for (const std::size_t member : group.members) {
    const Sample& sample = dataset.samples[member];
    (seen.emplace(sample.label, given_side(dataset, sample)).second ? telling : others).push_back(member);
  }
  telling.insert(telling.end(), others.begin(), others.end());
  return telling;
}

Json duplicates_json(const Exploration& exploration, PictureNames& names, const ListLimits& limits) {
  const DuplicateTotals totals = count_duplicates(exploration);
  Json json{{"limit", kNearDuplicate},
            {"groups", totals.groups},
            {"surplus", totals.surplus},
            {"same_bytes", totals.same_bytes},
            {"across_labels", totals.across_labels},
            {"across_splits", totals.across_sides},
            {"across_patients", totals.across_patients},
            {"list", Json::array()},
            {"look_alikes", Json::array()}};
  std::vector<std::pair<Conflict, const DuplicateGroup*>> sorted;
  sorted.reserve(exploration.duplicates.groups.size());
  for (const DuplicateGroup& group : exploration.duplicates.groups)
    sorted.emplace_back(conflict_of(exploration.dataset, group), &group);
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    const int of_a = gravity(a.first);
    const int of_b = gravity(b.first);
    return of_a != of_b ? of_a > of_b : a.second->members.front() < b.second->members.front();
  });
  for (std::size_t i = 0; i < std::min(limits.entries, sorted.size()); ++i) {
    const auto& [conflict, group] = sorted[i];
    const std::vector<std::size_t> order = telling_members(exploration.dataset, *group);
    Json members = Json::array();
    for (std::size_t m = 0; m < std::min(limits.members, order.size()); ++m)
      members.push_back(names(order[m]));
    json["list"].push_back({{"same_bytes", group->same_bytes},
                            {"distance", group->distance},
                            {"across_labels", conflict.labels},
                            {"across_splits", conflict.sides},
                            {"across_patients", conflict.patients},
                            {"pictures", group->members.size()},
                            {"members", std::move(members)}});
  }
  for (const SimilarPair& pair : exploration.duplicates.look_alikes)
    json["look_alikes"].push_back({{"distance", pair.distance}, {"members", {names(pair.a), names(pair.b)}}});
  return json;
}

Json leaks_json(const Dataset& dataset, std::size_t most) {
  const std::vector<Leak> leaks = find_leaks(dataset);
  Json json{{"patients", leaks.size()}, {"list", Json::array()}};
  for (std::size_t i = 0; i < std::min(most, leaks.size()); ++i) {
    Json entry{{"patient", leaks[i].patient}};
    for (const Split side : kSides) entry[name(side)] = leaks[i].pictures[static_cast<std::size_t>(side)];
    json["list"].push_back(std::move(entry));
  }
  return json;
}

/// A few of each class, of different patients, the same ones every time.
Json samples_json(const Exploration& exploration, PictureNames& names) {
  std::vector<std::size_t> order(exploration.dataset.samples.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  Random(1).shuffle(std::span(order));
  ByLabel<Json> chosen{Json::array(), Json::array()};
  std::set<std::string> patients;
  for (const std::size_t i : order) {
    const Sample& sample = exploration.dataset.samples[i];
    Json& of_class = chosen[index(sample.label)];
    if (!exploration.facts[i] || of_class.size() == kSamplesPerClass) continue;
    if (patients.insert(sample.patient).second) of_class.push_back(names(i));
  }
  return by_label(chosen);
}

std::vector<float> mean_of(const Exploration& exploration, Label label) {
  std::vector<float> mean;
  for (const double sum : exploration.sums[index(label)])
    mean.push_back(static_cast<float>(sum / static_cast<double>(exploration.readable[index(label)])));
  return mean;
}

}  // namespace

Weight shortcut_weight(const Estimate& auc) {
  const double nearer = std::max(auc.low, 1 - auc.high);
  if (nearer >= 0.8) return Weight::kSerious;
  if (nearer >= 0.65) return Weight::kNotable;
  return Weight::kFine;
}

Explorer::Explorer(Dataset dataset) {
  exploration_.dataset = std::move(dataset);
  exploration_.sums.fill(std::vector<double>(std::size_t{kFactsSide} * kFactsSide));
}

void Explorer::add(Result<MeasuredPicture> picture) {
  Exploration& e = exploration_;
  const std::size_t i = e.facts.size();
  if (!picture) {
    e.facts.emplace_back();
    e.unreadable.emplace_back(i, picture.error());
    return;
  }
  const std::size_t of_class = index(e.dataset.samples.at(i).label);
  ++e.readable[of_class];
  const PictureView& view = picture->view;
  for (std::size_t bin = 0; bin < kIntensityBins; ++bin)
    e.intensities[of_class][bin] +=
        static_cast<double>(view.intensities[bin]) / static_cast<double>(view.plane.values.size());
  for (std::size_t pixel = 0; pixel < view.plane.values.size(); ++pixel)
    e.sums[of_class][pixel] += static_cast<double>(view.plane.values[pixel]);
  e.facts.emplace_back(std::move(picture->facts));
}

std::optional<Exploration> Explorer::finish(int threads, const std::stop_token& stop) && {
  std::vector<Fingerprint> fingerprints;
  std::vector<std::size_t> sample_of;
  std::map<std::string, std::size_t> patients;
  for (std::size_t i = 0; i < exploration_.facts.size(); ++i) {
    const auto& facts = exploration_.facts[i];
    if (!facts) continue;
    const auto patient = patients.emplace(exploration_.dataset.samples[i].patient, patients.size()).first;
    fingerprints.push_back({facts->sha256, facts->hash, patient->second});
    sample_of.push_back(i);
  }
  auto duplicates = find_duplicates(fingerprints, threads, stop);
  if (!duplicates) return std::nullopt;
  for (DuplicateGroup& group : duplicates->groups)
    for (std::size_t& member : group.members) member = sample_of[member];
  for (SimilarPair& pair : duplicates->look_alikes)
    pair = {sample_of[pair.a], sample_of[pair.b], pair.distance};
  exploration_.duplicates = std::move(*duplicates);
  return std::move(exploration_);
}

std::vector<FeatureSummary> summarise_features(const Exploration& exploration) {
  std::vector<FeatureSummary> summaries;
  summaries.reserve(kFeatureCount);
  for (std::size_t i = 0; i < kFeatureCount; ++i)
    summaries.push_back(summarise(exploration, static_cast<Feature>(i)));
  return summaries;
}

std::vector<Leak> find_leaks(const Dataset& dataset) {
  std::map<std::string, std::array<std::int64_t, 3>> patients;
  for (const Sample& sample : dataset.samples)
    if (const auto side = given_side(dataset, sample))
      ++patients[sample.patient][static_cast<std::size_t>(*side)];
  std::vector<Leak> leaks;
  for (const auto& [patient, pictures] : patients)
    if (std::count(pictures.begin(), pictures.end(), 0) < 2) leaks.push_back({patient, pictures});
  return leaks;
}

Conflict conflict_of(const Dataset& dataset, const DuplicateGroup& group) {
  std::set<Label> labels;
  std::set<Split> sides;
  std::set<std::string> patients;
  for (const std::size_t member : group.members) {
    const Sample& sample = dataset.samples[member];
    labels.insert(sample.label);
    if (const auto side = given_side(dataset, sample)) sides.insert(*side);
    patients.insert(sample.patient);
  }
  return {labels.size() > 1, sides.size() > 1, patients.size() > 1};
}

std::vector<Notice> notices(const Exploration& exploration) {
  std::vector<Notice> serious;
  std::vector<Notice> notable;
  const auto say = [&](Weight weight, std::string text) {
    (weight == Weight::kSerious ? serious : notable).push_back({weight, std::move(text)});
  };
  const auto count = [](std::int64_t n, const char* one, const char* many) {
    return fmt::format("{} {}", n, n == 1 ? one : many);
  };
  const DuplicateTotals doubles = count_duplicates(exploration);
  if (doubles.across_labels > 0)
    say(Weight::kSerious, count(doubles.across_labels, "picture is", "pictures are") +
                              " in both classes: one of the labels must be wrong");
  if (doubles.across_sides > 0)
    say(Weight::kSerious, count(doubles.across_sides, "picture is", "pictures are") +
                              " on several sides of the split: the figures measured there are too good");
  if (const auto leaks = find_leaks(exploration.dataset); !leaks.empty())
    say(Weight::kSerious,
        count(static_cast<std::int64_t>(leaks.size()), "patient is", "patients are") +
            " on several sides of the split, by file name: the figures measured there are too good");
  if (doubles.across_patients > 0)
    say(Weight::kNotable, count(doubles.across_patients, "picture stands", "pictures stand") +
                              " under the names of several patients: a split by patient may not hold");
  for (const FeatureSummary& summary : summarise_features(exploration)) {
    if (summary.shortcut == Weight::kFine) continue;
    const bool more = summary.auc.value > 0.5;
    say(summary.shortcut,
        fmt::format("{} alone tells the classes apart with an AUC of {:.2f} ({} in pneumonia): a network may "
                    "learn this instead of the disease",
                    plain_name(summary.feature), more ? summary.auc.value : 1 - summary.auc.value,
                    more ? "higher" : "lower"));
  }
  if (!exploration.unreadable.empty())
    say(Weight::kNotable,
        count(static_cast<std::int64_t>(exploration.unreadable.size()), "picture", "pictures") +
            " could not be read");
  if (doubles.surplus > 0)
    say(Weight::kNotable, count(doubles.surplus, "picture repeats another", "pictures repeat others") +
                              ": what is repeated counts twice wherever it is used");
  for (const Label label : kLabels)
    if (exploration.readable[index(label)] == 0)
      say(Weight::kSerious, fmt::format("There is no readable picture of the class {}", name(label)));
  serious.insert(serious.end(), std::make_move_iterator(notable.begin()),
                 std::make_move_iterator(notable.end()));
  return serious;
}

Json to_json(const Exploration& exploration, PictureNames& names, const ListLimits& limits) {
  const Dataset& dataset = exploration.dataset;
  std::set<std::string> patients;
  for (const Sample& sample : dataset.samples) patients.insert(sample.patient);
  Json json{{"pictures", dataset.samples.size()}, {"patients", patients.size()}};
  json["notices"] = Json::array();
  for (const Notice& notice : notices(exploration)) json["notices"].push_back(to_json(notice));
  json["classes"] = classes_json(exploration);
  json["counts"] = counts_json(dataset);
  json["split_given"] = !dataset.given_split.empty();
  json["films_per_patient"] = films_per_patient(dataset);
  json["sizes"] = tally(exploration, std::min(limits.entries, kSizesListed), [](const PictureFacts& facts) {
    return Json{{"width", facts.feature(Feature::kWidth)}, {"height", facts.feature(Feature::kHeight)}};
  });
  json["formats"] = tally(exploration, limits.entries, [](const PictureFacts& facts) {
    return Json{{"format", format_name(facts.format)}, {"channels", facts.channels}, {"bits", facts.bits}};
  });
  json["intensities"] = intensities_json(exploration);
  json["features"] = Json::array();
  for (const FeatureSummary& summary : summarise_features(exploration))
    json["features"].push_back(to_json(summary));
  json["duplicates"] = duplicates_json(exploration, names, limits);
  json["leaks"] = leaks_json(dataset, limits.entries);
  json["samples"] = samples_json(exploration, names);
  json["unreadable"] = unreadable_pictures(dataset, exploration.unreadable, limits.entries);
  json["warnings"] = dataset.warnings;
  return json;
}

Json mean_pictures(const Exploration& exploration) {
  Json json = Json::object();
  ByLabel<std::vector<float>> means;
  for (const Label label : kLabels) {
    if (exploration.readable[index(label)] == 0) continue;
    means[index(label)] = mean_of(exploration, label);
    if (const auto uri = thumbnail(to_image({kFactsSide, kFactsSide, means[index(label)]}), kFactsSide))
      json[name(label)] = *uri;
  }
  if (means[0].empty() || means[1].empty()) return json;

  // Orange where pneumonia is brighter, blue where normal is, on white.
  float range = 1;
  for (std::size_t i = 0; i < means[0].size(); ++i)
    range = std::max(range, std::abs(means[1][i] - means[0][i]));
  std::vector<std::uint8_t> rgba;
  rgba.reserve(4 * means[0].size());
  constexpr std::array<float, 3> kBrighter{179, 88, 6};
  constexpr std::array<float, 3> kDarker{5, 80, 160};
  for (std::size_t i = 0; i < means[0].size(); ++i) {
    const float strength = (means[1][i] - means[0][i]) / range;
    for (std::size_t c = 0; c < 3; ++c)
      rgba.push_back(static_cast<std::uint8_t>(
          std::lround(std::lerp(255.0F, (strength > 0 ? kBrighter : kDarker)[c], std::abs(strength)))));
    rgba.push_back(255);
  }
  if (const auto png = encode_png_rgba(kFactsSide, kFactsSide, rgba, 9)) {
    json["difference"] = data_uri("image/png", *png);
    json["difference_range"] = range;
  }
  return json;
}

}  // namespace xray
