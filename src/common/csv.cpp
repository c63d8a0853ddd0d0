#include "common/csv.h"

namespace xray {

std::string csv_field(std::string text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) text.insert(at, 1, '"');
  return '"' + text + '"';
}

CsvReader::CsvReader(std::string_view text) : text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // what spreadsheets put in front
}

Result<std::vector<std::string>> CsvReader::row() {
  row_line_ = line_;
  std::vector<std::string> fields(1);
  for (;;) {
    if (!at_end() && text_[at_] == '"') {
      if (const auto quoted = this->quoted(fields.back()); !quoted) return quoted.error();
    } else {
      while (!at_end() && text_[at_] != ',' && text_[at_] != '\n') fields.back() += text_[at_++];
      if (fields.back().ends_with('\r')) fields.back().pop_back();
    }
    if (!at_end() && text_[at_] == '\r') ++at_;
    if (at_end()) return fields;
    const char end = text_[at_++];
    if (end == '\n') {
      ++line_;
      return fields;
    }
    if (end != ',') return Error{ErrorCode::kInvalidArgument, "text follows a closed quote"};
    fields.emplace_back();
  }
}

Result<Done> CsvReader::quoted(std::string& field) {
  for (++at_; !at_end(); ++at_) {
    if (text_[at_] == '\n') ++line_;
    if (text_[at_] != '"') {
      field += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      field += '"';
      ++at_;
    } else {
      ++at_;
      return Done{};
    }
  }
  return Error{ErrorCode::kInvalidArgument, "a quote stays open"};
}

}  // namespace xray
