#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/file.h"
#include "common/result.h"
#include "diagnose/finding.h"

namespace xray {

/// What became of one file.
struct PredictRow {
  std::filesystem::path file;
  Result<Finding> finding;
  Bytes overlay{};        ///< PNG; empty unless asked for
  std::string heatmap{};  ///< the file it was written to, if it was
};

/// How rows are written.
enum class RowFormat { kTable, kJson, kCsv };

/// The columns of a CSV file. "reasons" are codes, "error" is "code: message"; "severity" is the
/// score of 0 to 18, "score_low" and "score_high" its interval. What is not known is empty.
inline constexpr std::array<std::string_view, 18> kCsvColumns = {
    "file",      "verdict",    "pneumonia", "normal", "bacterial", "viral",  "severity", "extent",  "grade",
    "score_low", "score_high", "reasons",   "model",  "width",     "height", "ms",       "heatmap", "error"};

/// The line above all rows, with its end; empty for JSON.
std::string head_line(RowFormat format);

/// The row as one line, with its end (for CSV CRLF, as RFC 4180 has it; a name with a line
/// feed in it makes the CSV row go over several). Never empty.
std::string row_line(const PredictRow& row, RowFormat format);

/// The name of a file as row_line() writes it, unquoted: bytes that are not UTF-8 are
/// replaced; in CSV a relative name that a spreadsheet would take for a formula begins with "./".
std::string written_name(const std::filesystem::path& file, RowFormat format);

}  // namespace xray
