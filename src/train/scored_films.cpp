#include "train/scored_films.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "common/csv.h"
#include "common/file.h"

namespace xray {
namespace {

/// Where the wanted columns stand.
struct Columns {
  std::size_t image = 0;
  std::size_t patient = 0;
  std::vector<std::array<std::size_t, kZones>> raters;
};

std::optional<Columns> find_columns(const std::vector<std::string>& header) {
  Columns columns;
  std::map<std::string, std::map<std::size_t, std::size_t>> zones_of_rater;
  bool image = false;
  bool patient = false;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::string& name = header[i];
    if (name == "image") {
      columns.image = i;
      image = true;
    } else if (name == "patient") {
      columns.patient = i;
      patient = true;
    }
    const std::size_t dash = name.rfind('-');
    if (dash == std::string::npos) continue;
    const auto zone = std::ranges::find(kZoneNames, std::string_view(name).substr(dash + 1));
    if (zone != kZoneNames.end())
      zones_of_rater[name.substr(0, dash)][static_cast<std::size_t>(zone - kZoneNames.begin())] = i;
  }
  for (const auto& [rater, zones] : zones_of_rater) {
    if (zones.size() != kZones) continue;
    std::array<std::size_t, kZones> fields{};
    for (const auto& [zone, field] : zones) fields[zone] = field;
    columns.raters.push_back(fields);
  }
  if (!image || !patient || columns.raters.empty()) return std::nullopt;
  return columns;
}

/// A score of 0 to 3.
std::optional<double> score_from(const std::string& text) {
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= kFullZoneScore))
    return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<ScoredFilm>> read_scored_films(const std::filesystem::path& csv,
                                                  const std::filesystem::path& folder) {
  const auto text = read_text(csv);
  if (!text) return with_context(text.error(), csv.string());
  CsvReader reader(*text);
  const auto damaged = [&](const std::string& problem) {
    return Error{ErrorCode::kDamaged,
                 csv.string() + ": line " + std::to_string(reader.line()) + ": " + problem};
  };
  const auto header = reader.row();
  if (!header) return damaged(header.error().message);
  const auto columns = find_columns(*header);
  if (!columns)
    return Error{ErrorCode::kInvalidArgument,
                 csv.string() + ": has not the columns image, patient and <rater>-A to <rater>-F"};
  std::vector<ScoredFilm> films;
  while (!reader.at_end()) {
    const auto row = reader.row();
    if (!row) return damaged(row.error().message);
    if (row->size() != header->size()) return damaged("has not as many fields as the header");
    ScoredFilm film{
        .path = folder / (*row)[columns->image], .patient = (*row)[columns->patient], .totals = {}};
    for (const auto& fields : columns->raters) {
      double total = 0;
      for (std::size_t zone = 0; zone < kZones; ++zone) {
        const auto score = score_from((*row)[fields[zone]]);
        if (!score) return damaged("'" + (*row)[fields[zone]] + "' is no score from 0 to 3");
        film.zones[zone] += *score / static_cast<double>(columns->raters.size());
        total += *score;
      }
      film.totals.push_back(total);
    }
    films.push_back(std::move(film));
  }
  return films;
}

}  // namespace xray
