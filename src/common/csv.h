#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace xray {

/// `text` as a quoted field of a CSV file (RFC 4180).
std::string csv_field(std::string text);

/// Rows of a CSV table (RFC 4180; LF or CRLF, a byte order mark in front or none), one
/// after the other. The text must outlive the reader.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text);

  bool at_end() const { return at_ >= text_.size(); }
  /// Of the row read last, counted from 1.
  std::size_t line() const { return row_line_; }

  /// Its fields. kInvalidArgument where a quote stays open or text follows a closed one.
  Result<std::vector<std::string>> row();

 private:
  Result<Done> quoted(std::string& field);

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t row_line_ = 1;
};

}  // namespace xray
