#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/test_command.h"
#include "common/file.h"
#include "image/encode.h"
#include "support/phantom.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::HasSubstr;

class ExploreTest : public testing::Test {
 protected:
  fs::path films() const { return dir_ / "films"; }

  void add_film(const std::string& name, std::uint64_t seed) {
    fs::create_directories((films() / name).parent_path());
    ASSERT_TRUE(write_file(
        films() / name, encode_png(test::make_phantom({.width = 96, .height = 96, .seed = seed})).value()));
  }

  /// Runs `xray explore FILMS arguments...`; returns the exit code.
  int explore(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"explore", films().string(), "--threads", "2"});
    const test::CommandRun run = test::run_command(add_explore, std::move(arguments));
    out_ = run.out;
    err_ = run.err;
    return run.exit_code;
  }

  /// Runs it with `--json` and reads what it wrote.
  Json explored(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.end(), {"--json", (dir_ / "out.json").string()});
    EXPECT_EQ(explore(arguments), kExitOk) << err_;
    return Json::parse(read_text(dir_ / "out.json").value());
  }

  test::TempDir dir_;
  std::string out_;
  std::string err_;
};

TEST_F(ExploreTest, WarnsOfLeaksOnTheTerminal) {
  add_film("train/NORMAL/IM-0001-0001.png", 1);
  add_film("test/NORMAL/IM-0001-0002.png", 2);
  add_film("test/PNEUMONIA/person1_virus_1.png", 3);
  EXPECT_EQ(explore({}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("3 pictures read (2 normal, 1 pneumonia), 0 not"));
  EXPECT_THAT(out_, HasSubstr("!! 1 patient is on several sides of the split"));
}

TEST_F(ExploreTest, WritesAllFiguresAsJson) {
  for (std::uint64_t i = 1; i <= 70; ++i) add_film("train/NORMAL/IM-" + std::to_string(i) + "-0001.png", i);
  for (std::uint64_t i = 1; i <= 70; ++i)
    add_film("test/NORMAL/IM-" + std::to_string(i) + "-0001.png", i + 100);
  const Json json = explored();
  EXPECT_EQ(json["pictures"], 140);
  EXPECT_EQ(json["leaks"]["list"].size(), 70U) << "no list is cut short";
  EXPECT_FALSE(json.contains("audit"));
}

TEST_F(ExploreTest, AuditsLabelsByScores) {
  add_film("NORMAL/a.png", 1);
  add_film("NORMAL/b.png", 2);
  add_film("PNEUMONIA/c.png", 3);
  const fs::path scores = dir_ / "oof.csv";
  ASSERT_TRUE(write_file(
      scores,
      std::string_view("file,probability\nNORMAL/a.png,0.1\nNORMAL/b.png,0.95\nPNEUMONIA/c.png,0.9\n")));
  const Json audit = explored({"--scores", scores.string()})["audit"];
  EXPECT_EQ(audit["likely"], 1);
  EXPECT_EQ(audit["list"][0]["file"], "NORMAL/b.png");
  EXPECT_THAT(out_, HasSubstr("1 of 3 scored pictures"));
}

TEST_F(ExploreTest, RefusesScoresThatFitNothing) {
  add_film("NORMAL/a.png", 1);
  const fs::path scores = dir_ / "oof.csv";
  ASSERT_TRUE(write_file(scores, std::string_view("file,probability\nelsewhere.png,0.1\n")));
  EXPECT_EQ(explore({"--scores", scores.string()}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("names no picture of the folder"));
  ASSERT_TRUE(write_file(scores, std::string_view("file,probability\nNORMAL/a.png,two\n")));
  EXPECT_EQ(explore({"--scores", scores.string()}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("oof.csv: line 2"));
  EXPECT_EQ(explore({"--scores", (dir_ / "none.csv").string()}), kExitUsage);
}

TEST_F(ExploreTest, WritesAPageWithTheFilms) {
  add_film("NORMAL/a.png", 1);
  add_film("PNEUMONIA/<img src=x onerror=alert(1)>.png", 2);
  const fs::path page = dir_ / "page.html";
  const int exit_code = explore({"--out", page.string()});
  if (exit_code == kExitSomeFailed) {
    ASSERT_THAT(err_, HasSubstr("built without its page"));
    GTEST_SKIP() << err_;
  }
  ASSERT_EQ(exit_code, kExitOk) << err_;
  const std::string html = read_text(page).value();
  EXPECT_THAT(html, HasSubstr("\\u003cimg src=x onerror=alert(1)>"));
  EXPECT_THAT(html, testing::Not(HasSubstr("<img src=x")));
  EXPECT_THAT(html, HasSubstr("data:image/jpeg;base64,"));
}

TEST_F(ExploreTest, CountsWhatCannotBeRead) {
  add_film("NORMAL/a.png", 1);
  ASSERT_TRUE(write_file(films() / "NORMAL/b.png", std::string_view("no picture")));
  EXPECT_EQ(explore({}), kExitSomeFailed);
  EXPECT_THAT(err_, HasSubstr("b.png: the file is not a picture"));
  EXPECT_THAT(out_, HasSubstr("1 pictures read (1 normal, 0 pneumonia), 1 not"));
}

}  // namespace
}  // namespace xray
