#include "report/label_audit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "common/csv.h"
#include "metrics/metrics_json.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

std::optional<std::size_t> column(const std::vector<std::string>& header, std::string_view wanted) {
  const auto found = std::find(header.begin(), header.end(), wanted);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

std::optional<double> probability_of(const std::string& text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1))
    return std::nullopt;
  return value;
}

}  // namespace

Result<Scores> read_scores(std::string_view csv, const Dataset& dataset) {
  std::map<std::string, std::size_t> sample_of;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    sample_of.emplace(relative_name(dataset, dataset.samples[i]), i);
    sample_of.emplace(dataset.samples[i].path.generic_string(), i);
  }
  CsvReader reader(csv);
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, "line " + std::to_string(reader.line()) + ": " + what};
  };
  const auto header = reader.row();
  if (!header) return wrong(header.error().message);
  const auto file = column(*header, "file");
  const auto probability = column(*header, "probability");
  if (!file || !probability) return wrong("the header names no columns 'file' and 'probability'");

  Scores scores{std::vector<std::optional<double>>(dataset.samples.size()), 0};
  while (!reader.at_end()) {
    const auto row = reader.row();
    if (!row) return wrong(row.error().message);
    if (row->size() == 1 && row->front().empty()) continue;
    if (row->size() != header->size())
      return wrong(std::to_string(row->size()) + " fields, the header has " + std::to_string(header->size()));
    const auto sample = sample_of.find((*row)[*file]);
    if (sample == sample_of.end()) {
      ++scores.unknown;
      continue;
    }
    if ((*row)[*probability].empty()) continue;
    const auto value = probability_of((*row)[*probability]);
    if (!value) return wrong("the probability is no number from 0 to 1");
    auto& score = scores.probabilities[sample->second];
    if (score) return wrong("a picture that an earlier line names already");
    score = value;
  }
  return scores;
}

LabelAudit audit_labels(const Dataset& dataset, const Scores& scores) {
  LabelAudit audit{.unknown_rows = scores.unknown};
  std::vector<ScoredCase> cases;
  std::array<double, 2> sums{};
  std::array<double, 2> counts{};
  const auto share = [](const Suspect& suspect, Label label) {
    return label == Label::kPneumonia ? suspect.probability : 1 - suspect.probability;
  };
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    const auto& probability = scores.probabilities[i];
    if (!probability) {
      ++audit.unscored;
      continue;
    }
    ++audit.scored;
    const Label label = dataset.samples[i].label;
    cases.push_back({label == Label::kPneumonia, *probability});
    audit.suspects.push_back({i, *probability, false});
    sums[static_cast<std::size_t>(label)] += share(audit.suspects.back(), label);
    counts[static_cast<std::size_t>(label)] += 1;
  }
  audit.auc = measure(cases, 0.5, 0).auc;
  for (Suspect& suspect : audit.suspects) {
    const Label other =
        dataset.samples[suspect.sample].label == Label::kNormal ? Label::kPneumonia : Label::kNormal;
    const auto side = static_cast<std::size_t>(other);
    suspect.likely = counts[side] > 0 && share(suspect, other) >= sums[side] / counts[side];
    audit.likely += suspect.likely ? 1 : 0;
  }
  std::sort(audit.suspects.begin(), audit.suspects.end(), [&](const Suspect& a, const Suspect& b) {
    const double of_a = share(a, dataset.samples[a.sample].label);
    const double of_b = share(b, dataset.samples[b.sample].label);
    return std::tie(of_a, a.sample) < std::tie(of_b, b.sample);
  });
  return audit;
}

Json to_json(const LabelAudit& audit, PictureNames& names, std::size_t most) {
  Json json{{"scored", audit.scored},    {"unscored", audit.unscored}, {"unknown_rows", audit.unknown_rows},
            {"auc", to_json(audit.auc)}, {"likely", audit.likely},     {"list", Json::array()}};
  for (std::size_t i = 0; i < std::min(most, audit.suspects.size()); ++i) {
    const Suspect& suspect = audit.suspects[i];
    Json entry = names(suspect.sample);
    entry["probability"] = suspect.probability;
    entry["likely"] = suspect.likely;
    json["list"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace xray
