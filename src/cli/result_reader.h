#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>

#include "cli/predict_row.h"
#include "common/result.h"

namespace xray {

/// What is asked of a line that was written earlier.
struct ResultLine {
  std::string text;     ///< with its end
  std::string file;     ///< see written_name()
  std::string model{};  ///< empty for what could not be read
  std::string heatmap{};
  bool failed = false;
};

/// The lines of a file that `xray predict` wrote as JSON or CSV, of any length, in bounded
/// memory. A last line without its end, which a killed run leaves, is no line. Not thread-safe.
class ResultReader {
 public:
  /// Longer lines are none of ours.
  static constexpr std::size_t kLongestLine = std::size_t{1} << 20U;

  /// `in` must outlive the reader. `format`: kJson or kCsv.
  ResultReader(std::istream& in, RowFormat format) : in_(in), format_(format) {}

  /// The next line; nothing at the end. kInvalidArgument names a line that is not ours,
  /// or tells that a CSV file has other columns.
  Result<std::optional<ResultLine>> next();

  /// What the lines so far take up, a CSV file's head with them.
  std::uint64_t whole_bytes() const { return whole_bytes_; }

 private:
  /// One line with its end, in CSV with the line feeds in its fields; nothing at the end.
  Result<std::optional<std::string>> record();
  Error foreign(const std::string& what) const;

  std::istream& in_;
  RowFormat format_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::size_t records_ = 0;
  std::uint64_t whole_bytes_ = 0;
};

}  // namespace xray
