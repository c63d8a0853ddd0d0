#include "cli/name_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::ElementsAre;

class NameReading : public ::testing::Test {
 protected:
  /// The names in `text`; "!" where one is an error.
  std::vector<std::string> read(std::string_view text, NameSeparator separator = NameSeparator::kLine) {
    EXPECT_TRUE(write_file(temp_ / "list", text).ok());
    auto reader = NameReader::open(temp_ / "list", separator).value();
    std::vector<std::string> names;
    for (;;) {
      const auto name = reader.next();
      if (name && !*name) return names;
      names.push_back(name ? **name : "!" + std::string(xray::name(name.error().code)));
    }
  }

  test::TempDir temp_;
};

TEST_F(NameReading, TakesLinesOfUnixAndWindows) {
  EXPECT_THAT(read("a b.png\n\n\xC3\xA9.png\nlast"), ElementsAre("a b.png", "\xC3\xA9.png", "last"));
  EXPECT_THAT(read("\xEF\xBB\xBF"
                   "a.png\r\nb.png\r\n"),
              ElementsAre("a.png", "b.png"));
  EXPECT_THAT(read(""), ElementsAre());
}

TEST_F(NameReading, TakesNamesWithLineFeedsBetweenNulls) {
  EXPECT_THAT(read(std::string_view("a\nb.png\0c\r\0\0d", 13), NameSeparator::kNull),
              ElementsAre("a\nb.png", "c\r", "d"));
}

TEST_F(NameReading, PassesOverNamesThatAreTooLong) {
  EXPECT_THAT(read("a\n" + std::string(5000, 'x') + "\nb\n" + std::string(1'000'000, 'y') + "\nc"),
              ElementsAre("a", "!too_large", "b", "!too_large", "c"));
  EXPECT_THAT(read(std::string(1'000'000, 'y')), ElementsAre("!too_large"));
}

TEST_F(NameReading, CrossesTheBordersOfBlocks) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "folder/film" + std::to_string(i) + ".png\n";
  const auto names = read(text);
  ASSERT_EQ(names.size(), 50'000U);
  EXPECT_EQ(names[31'415], "folder/film31415.png");
}

TEST_F(NameReading, StopsWhileItWaits) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Descriptor writer(ends[1]);
  std::stop_source stop;
  NameReader reader(Descriptor{ends[0]}, NameSeparator::kLine, stop.get_token());
  std::jthread asker([&] { stop.request_stop(); });
  EXPECT_FALSE(reader.next().value().has_value());
}

TEST_F(NameReading, TellsOfListsThatAreNotThere) {
  EXPECT_EQ(NameReader::open(temp_ / "missing", NameSeparator::kLine).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(NameReader::open(temp_.path(), NameSeparator::kLine).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace xray
