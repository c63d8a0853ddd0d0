#include "cli/predict_row.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "common/csv.h"
#include "common/text.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTableRow = "{:<9}  {:>9}  {:>7}  {:<14}  {:<14}  {:>6}  {}";

std::string table_row(const PredictRow& row) {
  const std::string file = printable(row.file.string());
  if (!row.finding.ok())
    return fmt::format(kTableRow, "error", "-", "-", "-", "-", "-",
                       file + ": " + printable(row.finding.error().message));
  const Finding& finding = *row.finding;
  const std::string why = finding.reasons.empty() ? "" : ": " + describe_reasons(finding);
  if (finding.is_rejected())
    return fmt::format(kTableRow, name(finding.verdict), "-", "-", "-", "-",
                       fmt::format("{:.1f}", finding.timing.total), file + why);
  std::string subtype = "-";
  if (finding.has_subtype() && finding.verdict == Verdict::kPneumonia) {
    subtype = finding.bacterial >= finding.viral ? fmt::format("bacterial {:.0f} %", finding.bacterial)
                                                 : fmt::format("viral {:.0f} %", finding.viral);
  }
  const std::string severity =
      finding.severity && finding.verdict == Verdict::kPneumonia
          ? fmt::format("{} {:.1f}/18", name(finding.severity->grade()), finding.severity->score)
          : "-";
  return fmt::format(kTableRow, name(finding.verdict), fmt::format("{:.1f} %", finding.pneumonia),
                     fmt::format("{:.1f} %", finding.normal), subtype, severity,
                     fmt::format("{:.1f}", finding.timing.total), file + why);
}

/// File names are bytes; what is not UTF-8 must not cost the line.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_row(const PredictRow& row) {
  Json json = {{"file", row.file.string()}};
  if (row.finding.ok()) {
    json.update(to_json(*row.finding));
    if (!row.heatmap.empty()) json["heatmap"] = row.heatmap;
  } else {
    json["error"] = to_json(row.finding.error());
  }
  return dump(json);
}

std::string valid_utf8(const std::string& text) {
  return Json::parse(dump(Json(text))).get<std::string>();
}

/// Of the columns that stand in the JSON too: where. Both say the same, rounded alike.
constexpr std::array<std::string_view, kCsvColumns.size()> kJsonPlaces = {"",
                                                                          "/verdict",
                                                                          "/percent/pneumonia",
                                                                          "/percent/normal",
                                                                          "/subtype/bacterial",
                                                                          "/subtype/viral",
                                                                          "/severity/score",
                                                                          "/severity/extent",
                                                                          "/severity/grade",
                                                                          "/severity/interval/0",
                                                                          "/severity/interval/1",
                                                                          "",
                                                                          "/model",
                                                                          "/picture/width",
                                                                          "/picture/height",
                                                                          "/milliseconds",
                                                                          "",
                                                                          ""};

std::string csv_row(const PredictRow& row) {
  std::string reasons;
  if (row.finding)
    for (const Reason reason : row.finding->reasons)
      reasons += (reasons.empty() ? "" : "; ") + std::string(name(reason));
  const Json json = row.finding ? to_json(*row.finding) : Json::object();
  std::string line;
  for (std::size_t c = 0; c < kCsvColumns.size(); ++c) {
    if (c > 0) line += ',';
    const std::string_view column = kCsvColumns[c];
    if (column == "file") {
      line += csv_field(written_name(row.file, RowFormat::kCsv));
    } else if (column == "reasons") {
      line += csv_field(reasons);
    } else if (column == "heatmap") {
      line += csv_field(valid_utf8(row.heatmap));
    } else if (column == "error") {
      if (!row.finding)
        line += csv_field(std::string(name(row.finding.error().code)) + ": " +
                          valid_utf8(printable(row.finding.error().message)));
    } else if (const Json::json_pointer place{std::string(kJsonPlaces[c])}; json.contains(place)) {
      const Json& value = json.at(place);
      line += value.is_string() ? csv_field(value.get<std::string>()) : value.dump();
    }
  }
  return line;
}

}  // namespace

std::string head_line(RowFormat format) {
  switch (format) {
    case RowFormat::kTable:
      return fmt::format(kTableRow, "verdict", "pneumonia", "normal", "subtype", "severity", "ms", "file") +
             "\n";
    case RowFormat::kJson:
      return "";
    case RowFormat::kCsv:
      break;
  }
  std::string line;
  for (const std::string_view column : kCsvColumns) line += (line.empty() ? "" : ",") + std::string(column);
  return line + "\r\n";
}

std::string row_line(const PredictRow& row, RowFormat format) {
  switch (format) {
    case RowFormat::kTable:
      return table_row(row) + "\n";
    case RowFormat::kJson:
      return json_row(row) + "\n";
    case RowFormat::kCsv:
      break;
  }
  return csv_row(row) + "\r\n";
}

std::string written_name(const std::filesystem::path& file, RowFormat format) {
  constexpr std::string_view kBeginsFormula = "=+-@\t\r";
  std::string name = valid_utf8(file.string());
  if (format == RowFormat::kCsv && !name.empty() &&
      kBeginsFormula.find(name.front()) != std::string_view::npos)
    name.insert(0, "./");
  return name;
}

}  // namespace xray
