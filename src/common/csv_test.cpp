#include "common/csv.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(CsvField, QuotesWhatHasCommasAndQuotes) {
  EXPECT_EQ(csv_field("a, \"b\".png"), "\"a, \"\"b\"\".png\"");
  EXPECT_EQ(csv_field(""), "\"\"");
}

TEST(CsvReader, ReadsBackWhatCsvFieldWrites) {
  const std::string hard = "a, \"b\"\nc\r.png";
  const std::string text = csv_field(hard) + ",plain\r\n" + csv_field("") + ",2\n";
  CsvReader reader(text);
  EXPECT_EQ(reader.row().value(), (std::vector<std::string>{hard, "plain"}));
  EXPECT_EQ(reader.row().value(), (std::vector<std::string>{"", "2"}));
  EXPECT_EQ(reader.line(), 3U) << "the first row took two lines";
  EXPECT_TRUE(reader.at_end());
}

TEST(CsvReader, RefusesQuotesThatDoNotMatch) {
  EXPECT_EQ(CsvReader("\"open").row().error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(CsvReader("\"closed\" and more").row().error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
