#include <sstream>

#include "cli/result_reader.h"
#include "fuzz_target.h"

namespace {

using namespace xray;
using fuzz::require;

/// The lines, which must be the input's, as far as they are whole.
void read(const std::string& input, RowFormat format) {
  std::istringstream in(input);
  ResultReader reader(in, format);
  std::string text = head_line(format);
  for (;;) {
    const auto line = reader.next();
    if (!line) {
      require(line.error().code == ErrorCode::kInvalidArgument);
      return;
    }
    if (!*line) break;
    require((*line)->text.size() <= ResultReader::kLongestLine + 1);
    require((*line)->text.ends_with('\n'));
    require((*line)->model.empty() == (*line)->failed);
    text += (*line)->text;
    require(reader.whole_bytes() == text.size());
  }
  const std::uint64_t whole = reader.whole_bytes();
  require(whole <= input.size());
  if (whole == 0) return;
  require(input.compare(0, whole, text) == 0);
  if (whole == input.size()) return;
  // Once cut off there, it reads to its end.
  std::istringstream cut(input.substr(0, whole));
  ResultReader again(cut, format);
  for (auto line = again.next();; line = again.next()) {
    require(line.ok());
    if (!*line) break;
  }
  require(again.whole_bytes() == whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(fuzz::as_text(data, size));
  read(input, RowFormat::kJson);
  read(input, RowFormat::kCsv);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  Finding finding;
  finding.model = "tiny 1";
  const std::vector<PredictRow> rows = {
      {"a.png", finding},
      {"b, \"b\"\n.png", Error{ErrorCode::kDamaged, "cut \"off\""}},
      {"=c.png", finding},
  };
  std::vector<Bytes> all;
  for (const RowFormat format : {RowFormat::kJson, RowFormat::kCsv}) {
    std::string text = head_line(format);
    for (const PredictRow& row : rows) text += row_line(row, format);
    all.push_back(to_bytes(text));
    text.resize(text.size() - 9);
    all.push_back(to_bytes(text));
  }
  return all;
}
