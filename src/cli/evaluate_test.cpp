#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/test_command.h"
#include "common/file.h"
#include "image/encode.h"
#include "metrics/metrics.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::HasSubstr;

/// A labelled folder of phantoms: clear ones, which the tiny model reads as
/// normal, and opaque ones, which it reads as bacterial pneumonia.
class EvaluateTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(test::write_tiny_package(package())); }

  fs::path package() const { return dir_ / "tiny"; }
  fs::path films() const { return dir_ / "films"; }

  void add_film(const std::string& name, bool opaque) {
    const fs::path path = films() / name;
    fs::create_directories(path.parent_path());
    const Image film =
        test::make_phantom({.width = 96, .height = 96, .seed = ++seed_, .opacity = opaque ? 1.0 : 0.0});
    ASSERT_TRUE(write_file(path, encode_png(film).value()));
  }

  void add_kaggle_films() {
    add_film("train/NORMAL/IM-0001-0001.png", false);
    add_film("train/NORMAL/IM-0002-0001.png", true);
    add_film("train/PNEUMONIA/person1_bacteria_1.png", true);
    add_film("test/NORMAL/IM-0003-0001.png", false);
    add_film("test/PNEUMONIA/person2_virus_1.png", true);
    add_film("test/PNEUMONIA/person3_bacteria_1.png", true);
    add_film("test/PNEUMONIA/person4_bacteria_1.png", false);
  }

  /// Runs `xray evaluate FILMS arguments...`; returns the exit code.
  int evaluate(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"evaluate", "--model", package().string(), "--threads", "2"});
    const test::CommandRun run = test::run_command(add_evaluate, std::move(arguments));
    out_ = run.out;
    err_ = run.err;
    return run.exit_code;
  }

  test::TempDir dir_;
  std::string out_;
  std::string err_;

 private:
  std::uint64_t seed_ = 0;
};

TEST_F(EvaluateTest, ReportsEveryFigureAsJson) {
  add_kaggle_films();
  ASSERT_EQ(evaluate({films().string(), "--json"}), kExitOk) << err_;
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["n"], 7);
  EXPECT_EQ(json["confusion"]["true_positive"], 3);
  EXPECT_EQ(json["confusion"]["false_positive"], 1);
  EXPECT_EQ(json["confusion"]["true_negative"], 2);
  EXPECT_EQ(json["confusion"]["false_negative"], 1);
  EXPECT_DOUBLE_EQ(json["accuracy"]["value"].get<double>(), 5.0 / 7);
  EXPECT_DOUBLE_EQ(json["accuracy"]["low"].get<double>(), proportion(5, 7).low);
  EXPECT_DOUBLE_EQ(json["sensitivity"]["value"].get<double>(), 3.0 / 4);
  EXPECT_DOUBLE_EQ(json["specificity"]["value"].get<double>(), 2.0 / 3);
  for (const char* figure : {"auc", "average_precision", "brier", "ece", "f1", "ppv", "npv"})
    EXPECT_TRUE(json.at(figure)["high"].is_number()) << figure;
  EXPECT_EQ(json["threshold"], 0.5);
  EXPECT_EQ(json["unreadable"], 0);
  EXPECT_EQ(json["model"], "tiny 1");
  // The tiny model always says bacterial: right for three of four.
  EXPECT_EQ(json["subtype"]["n"], 4);
  EXPECT_DOUBLE_EQ(json["subtype"]["accuracy"]["value"].get<double>(), 3.0 / 4);
}

TEST_F(EvaluateTest, PrintsATableForPeople) {
  add_kaggle_films();
  ASSERT_EQ(evaluate({films().string()}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("7 pictures (3 normal, 4 pneumonia), model tiny 1, threshold 50.0 %"));
  EXPECT_THAT(out_, HasSubstr("71.4 %"));
  EXPECT_THAT(out_, testing::ContainsRegex("pneumonia, read as +1 +3\n"));
}

TEST_F(EvaluateTest, TakesOneSideOfKagglesLayout) {
  add_kaggle_films();
  ASSERT_EQ(evaluate({films().string(), "--json", "--split", "test"}), kExitOk);
  EXPECT_EQ(Json::parse(out_)["n"], 4);
  ASSERT_EQ(evaluate({(films() / "test").string(), "--json"}), kExitOk);
  EXPECT_EQ(Json::parse(out_)["n"], 4);
  EXPECT_EQ(evaluate({films().string(), "--split", "val"}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("validation"));
}

TEST_F(EvaluateTest, JudgesAtTheThresholdGiven) {
  add_kaggle_films();
  ASSERT_EQ(evaluate({films().string(), "--json", "--threshold", "0"}), kExitOk);
  EXPECT_EQ(Json::parse(out_)["threshold"], 0.0);
  EXPECT_EQ(Json::parse(out_)["sensitivity"]["value"], 1.0);
  EXPECT_EQ(Json::parse(out_)["specificity"]["value"], 0.0);
}

TEST_F(EvaluateTest, CountsUnreadablePicturesApart) {
  add_kaggle_films();
  std::ofstream(films() / "test/NORMAL/broken.jpg") << "no picture";
  EXPECT_EQ(evaluate({films().string(), "--json"}), kExitSomeFailed);
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["n"], 7);
  EXPECT_EQ(json["unreadable"], 1);
  EXPECT_EQ(json["unreadable_files"][0]["file"], (films() / "test/NORMAL/broken.jpg").string());
  EXPECT_EQ(json["unreadable_files"][0]["error"]["code"], "not_a_picture");
  EXPECT_THAT(err_, HasSubstr("broken.jpg"));
}

TEST_F(EvaluateTest, ReportsWhatOneClassCanTell) {
  add_film("NORMAL/a.png", false);
  ASSERT_EQ(evaluate({films().string(), "--json"}), kExitOk);
  EXPECT_EQ(Json::parse(out_)["specificity"]["value"], 1.0);
  EXPECT_TRUE(Json::parse(out_)["auc"]["value"].is_null());
  ASSERT_EQ(evaluate({films().string()}), kExitOk);
  EXPECT_THAT(out_, testing::ContainsRegex("AUC +- +- to +-\n"));
}

TEST_F(EvaluateTest, WritesOneLinePerPrediction) {
  add_film("NORMAL/IM-0001-0001.png", false);
  add_film("PNEUMONIA/a, \"b\".png", true);
  std::ofstream(films() / "NORMAL/broken.png") << "no picture";
  const fs::path csv = dir_ / "predictions.csv";
  EXPECT_EQ(evaluate({films().string(), "--predictions", csv.string()}), kExitSomeFailed);
  const std::string text = read_text(csv).value();
  const std::string root = films().string();
  EXPECT_THAT(text, testing::StartsWith("file,label,probability,verdict\r\n\"" + root +
                                        "/NORMAL/IM-0001-0001.png\",normal,"));
  EXPECT_THAT(text, HasSubstr("\"" + root + "/NORMAL/broken.png\",normal,,\r\n"));
  EXPECT_THAT(text, HasSubstr("\"" + root + "/PNEUMONIA/a, \"\"b\"\".png\",pneumonia,"));
  EXPECT_THAT(text, testing::EndsWith(",pneumonia\r\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
}

TEST_F(EvaluateTest, WritesAPageThatHoldsTheWorstMistakes) {
  add_kaggle_films();
  const fs::path page = dir_ / "report.html";
  const int exit_code = evaluate({films().string(), "--report", page.string()});
  if (exit_code == kExitSomeFailed) {
    ASSERT_THAT(err_, HasSubstr("built without its page"));
    GTEST_SKIP() << err_;
  }
  ASSERT_EQ(exit_code, kExitOk) << err_;
  const std::string html = read_text(page).value();
  EXPECT_THAT(html, testing::StartsWith("<!doctype html>"));
  EXPECT_THAT(html, HasSubstr("\"file\":\"train/NORMAL/IM-0002-0001.png\""));
  EXPECT_THAT(html, HasSubstr("\"file\":\"test/PNEUMONIA/person4_bacteria_1.png\""));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(out_, HasSubstr("7 pictures")) << "the table is printed all the same";
}

TEST_F(EvaluateTest, SaysWhyAPageCannotBeWritten) {
  add_film("NORMAL/a.png", false);
  EXPECT_EQ(evaluate({films().string(), "--report", (dir_ / "no/such/folder.html").string()}),
            kExitSomeFailed);
  EXPECT_THAT(err_, HasSubstr("folder.html: "));
}

TEST_F(EvaluateTest, TellsWrongUsageFromAMissingModel) {
  EXPECT_EQ(evaluate({(dir_ / "none").string()}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("no such folder"));
  fs::create_directories(films() / "COVID");
  EXPECT_EQ(evaluate({films().string()}), kExitUsage);
  EXPECT_THAT(err_, HasSubstr("NORMAL or PNEUMONIA"));
  add_kaggle_films();
  fs::remove_all(package());
  EXPECT_EQ(evaluate({films().string()}), kExitSomeFailed);
  EXPECT_EQ(evaluate({films().string(), "--threshold", "2"}), kExitUsage);
  EXPECT_EQ(evaluate({films().string(), "--split", "tset"}), kExitUsage);
}

}  // namespace
}  // namespace xray
