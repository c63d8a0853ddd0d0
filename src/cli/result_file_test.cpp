#include "cli/result_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/result_reader.h"
#include "common/csv.h"
#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PredictRow found(const std::string& file, const std::string& model = "tiny 1") {
  Finding finding;
  finding.verdict = Verdict::kPneumonia;
  finding.pneumonia = 91.239;
  finding.normal = 100 - finding.pneumonia;
  finding.bacterial = 70;
  finding.viral = 30;
  finding.reasons = {Reason::kInverted, Reason::kLungsCut};
  finding.severity.emplace();
  finding.severity->extent = 12.34;
  finding.severity->score = 8.5;
  finding.severity->low = 6;
  finding.severity->high = 11.25;
  finding.model = model;
  finding.timing.total = 5.678;
  finding.width = 640;
  finding.height = 480;
  return {file, finding};
}

PredictRow unread(const std::string& file) {
  return {file, Error{ErrorCode::kDamaged, "cut, \"off\""}};
}

class ResultFiles : public ::testing::TestWithParam<RowFormat> {
 protected:
  std::string line(const PredictRow& row) const { return row_line(row, GetParam()); }
  std::string head() const { return head_line(GetParam()); }
  std::filesystem::path path() const { return temp_ / "results"; }
  void write(const std::string& text) const { ASSERT_TRUE(write_file(path(), text).ok()); }
  std::string content() const { return read_text(path()).value(); }
  Result<std::pair<ResultFile, EarlierResults>> resume(bool retry = false, bool mix = false) const {
    return ResultFile::resume(
        path(), {.format = GetParam(), .model = "tiny 1", .mix_models = mix, .retry_failed = retry});
  }

  test::TempDir temp_;
};

INSTANTIATE_TEST_SUITE_P(Formats, ResultFiles, ::testing::Values(RowFormat::kJson, RowFormat::kCsv),
                         [](const auto& test) { return test.param == RowFormat::kJson ? "Json" : "Csv"; });

TEST_P(ResultFiles, GoOnBehindTheLastWholeLine) {
  const std::string whole = head() + line(found("a.png")) + line(unread("b\n\"b\".png"));
  const std::string next = line(found("c.png"));
  for (std::size_t cut = 0; cut < next.size(); cut += 29) {
    write(whole + next.substr(0, cut));
    auto resumed = resume();
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
    auto& [file, earlier] = *resumed;
    EXPECT_EQ(content(), whole);
    EXPECT_EQ(earlier.files.size(), 2U);
    EXPECT_EQ(earlier.failed, 1U);
    EXPECT_FALSE(file.is_empty());
    EXPECT_TRUE(earlier.files.take("a.png"));
    EXPECT_TRUE(earlier.files.take("b\n\"b\".png"));
    EXPECT_FALSE(earlier.files.take("c.png"));
    ASSERT_TRUE(file.append(next).ok());
    EXPECT_EQ(content(), whole + next);
  }
}

TEST_P(ResultFiles, BeginWhereThereIsNoneOrNoWholeHead) {
  for (const std::string& text : {std::string(), head().substr(0, head().size() / 2), std::string("{\"fi")}) {
    if (GetParam() == RowFormat::kCsv && text.starts_with('{')) continue;
    write(text);
    const auto resumed = resume();
    ASSERT_TRUE(resumed.ok());
    EXPECT_TRUE(resumed->first.is_empty());
    EXPECT_EQ(resumed->second.files.size(), 0U);
    EXPECT_EQ(content(), "");
  }
  std::filesystem::remove(path());
  EXPECT_TRUE(resume().ok());
}

TEST_P(ResultFiles, RefuseAnotherModelUnlessTold) {
  write(head() + line(found("a.png", "tiny 2")));
  const auto resumed = resume();
  ASSERT_FALSE(resumed.ok());
  EXPECT_EQ(resumed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(resumed.error().message,
              HasSubstr("holds findings of the model tiny 2, and this one is tiny 1"));
  EXPECT_TRUE(resume(false, true).ok());
}

TEST_P(ResultFiles, TakeOutWhatIsToBeReadAgain) {
  write(head() + line(unread("a.png")) + line(found("b.png")) + line(unread("c.png")) + "half");
  auto resumed = resume(true);
  ASSERT_TRUE(resumed.ok());
  auto& [file, earlier] = *resumed;
  EXPECT_EQ(content(), head() + line(found("b.png")));
  EXPECT_EQ(earlier.files.size(), 1U);
  EXPECT_EQ(earlier.failed, 0U);
  ASSERT_TRUE(file.append(line(found("a.png"))).ok());
  EXPECT_EQ(content(), head() + line(found("b.png")) + line(found("a.png")));
  EXPECT_THAT(std::distance(std::filesystem::directory_iterator(temp_.path()), {}), 1);
}

TEST_P(ResultFiles, LeaveForeignFilesAlone) {
  for (const std::string& text :
       {std::string("Dear colleague,\n"), head() + "{}\n", head() + line(found("a.png")) + "[]\n",
        head() + "{\"file\": 3, \"model\": \"x\"}\n", head() + std::string("\0\0\0\n", 4),
        head() + std::string(1'500'000, '[') + "\n", head() + "\"a.png\"\n",
        std::string("file,verdict\r\n")}) {
    write(text);
    const auto resumed = resume();
    ASSERT_FALSE(resumed.ok());
    EXPECT_EQ(resumed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(resumed.error().message, HasSubstr("line "));
    EXPECT_EQ(content(), text);
  }
}

TEST_P(ResultFiles, AreWrittenByOneRunAtATime) {
  const auto first = resume();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(resume().error().code, ErrorCode::kBusy);
  EXPECT_EQ(ResultFile::create(path()).error().code, ErrorCode::kBusy);
}

TEST(ResultFile, IsNotOverwritten) {
  const test::TempDir temp;
  ASSERT_TRUE(write_file(temp / "results", std::string_view("work of a night\n")).ok());
  const auto file = ResultFile::create(temp / "results");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_text(temp / "results").value(), "work of a night\n");
}

TEST(ResultFile, TellsOfAFullDisk) {
  auto file = ResultFile::create("/dev/full");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->append("line\n").error().code, ErrorCode::kIo);
  EXPECT_FALSE(ResultFile::resume("/dev/full", {}).ok());
}

TEST(NameTally, CountsNamesThatComeTwice) {
  NameTally tally;
  for (const char* name : {"b", "a", "b"}) tally.add(name);
  EXPECT_EQ(tally.size(), 3U);
  EXPECT_TRUE(tally.take("b"));
  EXPECT_TRUE(tally.take("b"));
  EXPECT_FALSE(tally.take("b"));
  EXPECT_TRUE(tally.take("a"));
  EXPECT_FALSE(tally.take("a"));
  EXPECT_FALSE(tally.take(""));
}

TEST(RowLine, HasEveryColumnOfTheCsv) {
  const std::string text = row_line(found("a.png"), RowFormat::kCsv);
  EXPECT_TRUE(text.ends_with("\r\n"));
  CsvReader reader(text);
  EXPECT_THAT(reader.row().value(),
              ElementsAre("a.png", "pneumonia", "91.24", "8.76", "70.0", "30.0", "8.5", "12.3", "moderate",
                          "6.0", "11.3", "inverted; lungs_cut", "tiny 1", "640", "480", "5.68", "", ""));
  const std::string failed = row_line(unread("a.png"), RowFormat::kCsv);
  const auto fields = CsvReader(failed).row().value();
  ASSERT_EQ(fields.size(), kCsvColumns.size());
  EXPECT_EQ(fields.back(), "damaged: cut, \"off\"");
}

TEST(RowLine, WritesNamesThatNoSpreadsheetRuns) {
  EXPECT_EQ(written_name("=cmd().png", RowFormat::kCsv), "./=cmd().png");
  EXPECT_EQ(written_name("-1.png", RowFormat::kCsv), "./-1.png");
  EXPECT_EQ(written_name("-1.png", RowFormat::kJson), "-1.png");
  EXPECT_EQ(written_name("films/=a.png", RowFormat::kCsv), "films/=a.png");
  EXPECT_EQ(written_name("bad\xFF.png", RowFormat::kCsv), "bad\xEF\xBF\xBD.png");
}

TEST(ResultReader, ReadsALongFileInPieces) {
  std::string text = head_line(RowFormat::kCsv);
  for (int i = 0; i < 3000; ++i) text += row_line(found("film, " + std::to_string(i)), RowFormat::kCsv);
  std::istringstream in(text);
  ResultReader reader(in, RowFormat::kCsv);
  for (int i = 0; i < 3000; ++i) {
    const auto line = reader.next();
    ASSERT_TRUE(line.ok() && line->has_value());
    ASSERT_EQ((*line)->file, "film, " + std::to_string(i));
  }
  EXPECT_FALSE(reader.next().value().has_value());
  EXPECT_EQ(reader.whole_bytes(), text.size());
}

}  // namespace
}  // namespace xray
