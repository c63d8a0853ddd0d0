#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cli/test_command.h"
#include "common/file.h"
#include "image/encode.h"
#include "support/archives.h"
#include "support/phantom.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr int kFilms = 60;

class BulkPredict : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_tiny_package(temp_ / "tiny").ok());
    std::vector<Member> members;
    for (int i = 0; i < kFilms; ++i)
      members.push_back({"film" + std::to_string(i) + ".png", i % 10 == 3 ? bytes_of("no film") : film(i)});
    ASSERT_TRUE(write_file(temp_ / "films.tar.gz", make_archive(ArchiveKind::kTarGz, members)).ok());
  }

  static Bytes film(int number) {
    return encode_png(make_phantom({.width = 96, .height = 96, .seed = static_cast<std::uint64_t>(number)}))
        .value();
  }

  /// `xray predict` with the tiny model and these arguments.
  std::vector<std::string> arguments(std::vector<std::string> more) const {
    more.insert(more.begin(), {"predict", "--model", (temp_ / "tiny").string(), "--threads", "2"});
    return more;
  }
  int run(std::vector<std::string> more) const {
    return Process(XRAY_PROGRAM, arguments(std::move(more))).wait();
  }

  std::string path(const std::string& name) const { return (temp_ / name).string(); }

  std::size_t size_of(const std::string& name) const {
    std::error_code missing;
    const auto size = std::filesystem::file_size(temp_ / name, missing);
    return missing ? 0 : size;
  }

  /// What a run says but for how long it took.
  std::vector<Json> results(const std::string& name) const {
    std::vector<Json> lines;
    std::ifstream in(temp_ / name);
    for (std::string line; std::getline(in, line);) {
      lines.push_back(Json::parse(line));
      lines.back().erase("milliseconds");
      lines.back().erase("timing");
    }
    return lines;
  }

  template <typename Condition>
  static bool becomes_true(Condition condition) {
    for (int i = 0; i < 3000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return condition();
  }

  TempDir temp_;
};

TEST_F(BulkPredict, EndsAlikeHoweverOftenItWasKilled) {
  EXPECT_EQ(run({"-o", path("whole.jsonl"), path("films.tar.gz")}), 1);
  const auto whole = results("whole.jsonl");
  ASSERT_EQ(whole.size(), std::size_t{kFilms});

  for (const std::size_t share : {1U, 2U, 3U}) {
    Process program(XRAY_PROGRAM, arguments({"-o", path("killed.jsonl"), "--resume", path("films.tar.gz")}));
    const std::size_t enough = size_of("whole.jsonl") * share / 4;
    EXPECT_TRUE(becomes_true([&] { return size_of("killed.jsonl") >= enough; }));
    program.send_signal(SIGKILL);
    program.wait();
    // As after a power cut.
    std::ofstream(temp_ / "killed.jsonl", std::ios::app) << R"({"file": "films.tar)";
  }
  EXPECT_EQ(run({"-o", path("killed.jsonl"), "--resume", path("films.tar.gz")}), 1);
  EXPECT_EQ(results("killed.jsonl"), whole);
}

TEST_F(BulkPredict, StopsCleanlyAtCtrlCWhileItWaitsForNames) {
  ASSERT_TRUE(write_file(temp_ / "a.png", film(1)).ok());
  ASSERT_EQ(::mkfifo(path("names").c_str(), 0600), 0);
  {
    Process program(XRAY_PROGRAM, arguments({"-o", path("found.csv"), "--files-from", path("names")}));
    std::ofstream names(temp_ / "names");
    names << path("a.png") << '\n' << path("missing.png") << '\n' << std::flush;
    EXPECT_TRUE(becomes_true([&] {
      return read_text(temp_ / "found.csv").ok() &&
             read_text(temp_ / "found.csv").value().find("missing.png") != std::string::npos;
    }));
    program.send_signal(SIGINT);
    EXPECT_EQ(program.wait(), 130);
  }
  const std::string before = read_text(temp_ / "found.csv").value();
  EXPECT_TRUE(before.ends_with("\r\n"));
  const CommandRun again =
      run_command(add_predict, {"predict", "--model", path("tiny"), "-o", path("found.csv"), "--resume",
                                path("a.png"), path("missing.png"), path("films.tar.gz")});
  EXPECT_THAT(again.err, HasSubstr("; 2 before (1 of them not read; --retry-errors tries again)"));
  EXPECT_TRUE(read_text(temp_ / "found.csv").value().starts_with(before));
}

TEST_F(BulkPredict, KeepsTheOrderOfManyPictures) {
  constexpr int kMany = 2000;
  const Bytes tiny = encode_png(Image(32, 32, Image::Pixels8(1024, 7))).value();
  std::string names;
  std::filesystem::create_directories(temp_ / "many");
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(write_file(temp_ / "many" / ("film" + std::to_string(i) + ".png"), tiny).ok());
  for (int i = 0; i < kMany; ++i) names += path("many/film" + std::to_string(i * 7 % 10) + ".png") + '\0';
  ASSERT_TRUE(write_file(temp_ / "names", names).ok());
  const CommandRun done = run_command(add_predict, {"predict", "--model", path("tiny"), "-o",
                                                    path("many.jsonl"), "-0", "--files-from", path("names")});
  EXPECT_EQ(done.exit_code, kExitOk);
  const auto found = results("many.jsonl");
  ASSERT_EQ(found.size(), std::size_t{kMany});
  for (int i = 0; i < kMany; ++i)
    ASSERT_EQ(found[static_cast<std::size_t>(i)].at("file"),
              path("many/film" + std::to_string(i * 7 % 10) + ".png"));
}

TEST_F(BulkPredict, ReadsErrorsAgainWhenTold) {
  const std::vector<std::string> command = {"predict",           "--model",  path("tiny"),  "-o",
                                            path("found.jsonl"), "--resume", path("a.png"), path("b.png")};
  ASSERT_TRUE(write_file(temp_ / "b.png", film(2)).ok());
  EXPECT_EQ(run_command(add_predict, command).exit_code, kExitSomeFailed);
  ASSERT_TRUE(write_file(temp_ / "a.png", film(1)).ok());
  EXPECT_EQ(run_command(add_predict, command).exit_code, kExitSomeFailed) << "a.png is passed over";
  auto retry = command;
  retry.emplace_back("--retry-errors");
  EXPECT_EQ(run_command(add_predict, retry).exit_code, kExitOk);
  std::vector<std::string> files;
  for (const Json& line : results("found.jsonl")) {
    files.push_back(line.at("file"));
    EXPECT_FALSE(line.contains("error"));
  }
  EXPECT_THAT(files, ElementsAre(path("b.png"), path("a.png")));
}

TEST_F(BulkPredict, KeepsTheHeatMapsOfTheEarlierRun) {
  for (const char* folder : {"monday", "tuesday"}) {
    std::filesystem::create_directories(temp_ / folder);
    ASSERT_TRUE(write_file(temp_ / folder / "film.png", film(1)).ok());
  }
  const auto command = [&](const std::vector<std::string>& folders) {
    std::vector<std::string> all = {"predict",    "--model",  path("tiny"), "--heatmap",
                                    path("maps"), "--resume", "-o",         path("found.csv")};
    all.insert(all.end(), folders.begin(), folders.end());
    return run_command(add_predict, all).exit_code;
  };
  EXPECT_EQ(command({path("monday")}), kExitOk);
  EXPECT_EQ(command({path("monday"), path("tuesday")}), kExitOk);
  EXPECT_TRUE(std::filesystem::exists(temp_ / "maps/film.heatmap.png"));
  EXPECT_TRUE(std::filesystem::exists(temp_ / "maps/film-2.heatmap.png"));
}

}  // namespace
}  // namespace xray::test
