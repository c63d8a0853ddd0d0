#include "cli/result_reader.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/csv.h"

namespace xray {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kBlock = 65536;

/// nullopt where the line is not ours.
std::optional<ResultLine> parse_json(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto text_of = [&](const char* key) -> const std::string* {
    const auto at = json.find(key);
    return at == json.end() ? nullptr : at->get_ptr<const std::string*>();
  };
  const std::string* const file = text_of("file");
  const std::string* const model = text_of("model");
  const std::string* const heatmap = text_of("heatmap");
  const bool failed = json.contains("error");
  if (file == nullptr || (model == nullptr) != failed) return std::nullopt;
  return ResultLine{.text = text,
                    .file = *file,
                    .model = model == nullptr ? "" : *model,
                    .heatmap = heatmap == nullptr ? "" : *heatmap,
                    .failed = failed};
}

std::optional<ResultLine> parse_csv(const std::string& text) {
  CsvReader reader(text);
  const auto fields = reader.row();
  if (!fields || fields->size() != kCsvColumns.size() || !reader.at_end()) return std::nullopt;
  ResultLine line{.text = text, .file = {}};
  for (std::size_t c = 0; c < kCsvColumns.size(); ++c) {
    if (kCsvColumns[c] == "file") line.file = (*fields)[c];
    if (kCsvColumns[c] == "model") line.model = (*fields)[c];
    if (kCsvColumns[c] == "heatmap") line.heatmap = (*fields)[c];
    if (kCsvColumns[c] == "error") line.failed = !(*fields)[c].empty();
  }
  if (line.file.empty() || line.model.empty() != line.failed) return std::nullopt;
  return line;
}

}  // namespace

Error ResultReader::foreign(const std::string& what) const {
  return {ErrorCode::kInvalidArgument, "line " + std::to_string(records_) + " " + what};
}

Result<std::optional<std::string>> ResultReader::record() {
  ++records_;
  std::size_t end = at_;
  bool quoted = false;
  for (;;) {
    for (; end < buffer_.size(); ++end) {
      if (buffer_[end] == '"') quoted = format_ == RowFormat::kCsv && !quoted;
      if (buffer_[end] != '\n' || quoted) continue;
      std::string line = buffer_.substr(at_, end + 1 - at_);
      at_ = end + 1;
      return std::optional(std::move(line));
    }
    if (end - at_ > kLongestLine) return foreign("is longer than any that xray predict writes");
    buffer_.erase(0, at_);
    end -= std::exchange(at_, 0);
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kBlock);
    in_.read(buffer_.data() + before, kBlock);
    buffer_.resize(before + static_cast<std::size_t>(in_.gcount()));
    if (in_.bad()) return Error{ErrorCode::kIo, "cannot be read"};
    if (in_.gcount() == 0) return std::optional<std::string>();
  }
}

Result<std::optional<ResultLine>> ResultReader::next() {
  auto text = record();
  if (!text) return text.error();
  if (!*text) return std::optional<ResultLine>();
  if (format_ == RowFormat::kCsv && records_ == 1) {
    if (**text != head_line(format_))
      return foreign("does not name the columns that xray predict --csv writes");
    whole_bytes_ += (*text)->size();
    return next();
  }
  auto line = format_ == RowFormat::kCsv ? parse_csv(**text) : parse_json(**text);
  if (!line)
    return foreign(format_ == RowFormat::kCsv ? "is not what xray predict --csv writes"
                                              : "is not what xray predict --json writes");
  whole_bytes_ += (*text)->size();
  return line;
}

}  // namespace xray
