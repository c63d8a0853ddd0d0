#include "cli/robustness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "common/file.h"
#include "image/encode.h"
#include "perturb/perturb.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Sample> samples(int normal, int pneumonia) {
  std::vector<Sample> all;
  all.reserve(100);
  for (int i = 0; i < normal + pneumonia; ++i)
    all.push_back(i < normal ? Sample{.path = "n" + std::to_string(i)}
                             : Sample{.path = "p" + std::to_string(i - normal), .label = Label::kPneumonia});
  return all;
}

std::vector<std::string> spread_names(int normal, int pneumonia, std::size_t limit) {
  std::vector<std::string> names;
  for (const Sample& sample : spread(samples(normal, pneumonia), limit))
    names.push_back(sample.path.string());
  return names;
}

TEST(Spread, TakesHalfOfEachClassAtEvenDistances) {
  EXPECT_THAT(spread_names(4, 9, 6), ElementsAre("n0", "n1", "n2", "p0", "p3", "p6"));
  EXPECT_THAT(spread_names(9, 4, 5), ElementsAre("n0", "n4", "p0", "p1", "p2"));
}

TEST(Spread, FillsUpFromTheOtherClass) {
  EXPECT_THAT(spread_names(1, 4, 4), ElementsAre("n0", "p0", "p1", "p2"));
  EXPECT_THAT(spread_names(4, 1, 4), ElementsAre("n0", "n1", "n2", "p0"));
  EXPECT_THAT(spread_names(0, 3, 2), ElementsAre("p0", "p1"));
  EXPECT_THAT(spread_names(2, 2, 9), ElementsAre("n0", "n1", "p0", "p1"));
}

/// Phantoms read by the tiny model, whose answers follow from brightness alone.
class RobustnessTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(test::write_tiny_package(dir_ / "tiny"));
    add("NORMAL/IM-0001-0001.png", {.width = 96, .height = 96, .seed = 1, .opacity = 0});
    add("NORMAL/IM-0002-0001.png", {.width = 96, .height = 96, .seed = 2, .opacity = 0});
    add("PNEUMONIA/person1_virus_1.png", {.width = 96, .height = 96, .seed = 3, .opacity = 1});
    add("PNEUMONIA/person2_virus_1.png", {.width = 96, .height = 96, .seed = 4, .opacity = 1});
  }

  void add(const std::string& name, const test::PhantomOptions& options) {
    const fs::path path = dir_ / "films" / name;
    fs::create_directories(path.parent_path());
    ASSERT_TRUE(write_file(path, encode_png(test::make_phantom(options)).value()));
    samples_ = scan_dataset(dir_ / "films")->samples;
  }

  int evaluate(RobustnessOptions options, const std::stop_token& stop = {}) {
    options.model.folder = (dir_ / "tiny").string();
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int exit_code = evaluate_robustness(samples_, options, stop);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return exit_code;
  }

  /// The row of that name.
  Json row(const std::string& name) const {
    const Json json = Json::parse(out_);
    for (const Json& row : json["perturbations"])
      if (row["name"] == name) return row;
    ADD_FAILURE() << name << " is missing";
    return {};
  }

  test::TempDir dir_;
  std::vector<Sample> samples_;
  std::string out_;
  std::string err_;
};

TEST_F(RobustnessTest, TurnsNoVerdictOfTheOriginals) {
  ASSERT_EQ(evaluate({.threads = 2, .json = true}), kExitOk) << err_;
  const Json original = row("original");
  EXPECT_EQ(original["n"], 4);
  EXPECT_EQ(original["flip_rate"]["value"], 0.0);
  EXPECT_EQ(original["mean_change_points"], 0.0);
  EXPECT_EQ(original["mean_absolute_change_points"], 0.0);
  EXPECT_EQ(original["accuracy"]["value"], 1.0);
  EXPECT_EQ(original["auc"]["value"], 1.0);
}

TEST_F(RobustnessTest, TellsWhatAModelThatReadsBrightnessFallsFor) {
  ASSERT_EQ(evaluate({.threads = 2, .json = true}), kExitOk) << err_;
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["model"], "tiny 1");
  EXPECT_EQ(json["threshold"], 0.5);
  ASSERT_EQ(json["perturbations"].size(), kRobustnessSuite.size());
  EXPECT_EQ(json["judged"], kRobustnessSuite.size() - 2);

  // A white border makes every film pneumonia: the normal half turns.
  const Json white = row("border_white");
  EXPECT_EQ(white["flip_rate"]["value"], 0.5);
  EXPECT_GT(white["flip_rate"]["low"], 0.1);
  EXPECT_EQ(white["flips"]["to_pneumonia"], 2);
  EXPECT_EQ(white["flips"]["to_normal"], 0);
  EXPECT_GT(white["mean_change_points"], 20);
  EXPECT_EQ(white["specificity"]["value"], 0.0);
  EXPECT_EQ(white["sensitivity"]["value"], 1.0);
  // Raw detector values are dark: the ill half turns.
  EXPECT_EQ(row("raw_12_bit")["flips"]["to_normal"], 2);
  EXPECT_LT(row("raw_12_bit")["mean_change_points"], -20);
  // What changes no brightness turns nothing.
  for (const char* const harmless : {"flip_left_right", "double_size", "blur", "jpeg_30"})
    EXPECT_EQ(row(harmless)["flip_rate"]["value"], 0.0) << harmless;
  EXPECT_TRUE(row("flip_upside_down")["should_be_refused"].get<bool>());

  double worst = 0;
  for (const Json& each : json["perturbations"])
    worst = std::max(worst, each["flip_rate"]["value"].get<double>());
  EXPECT_EQ(row(json["worst"])["flip_rate"]["value"], worst);
  EXPECT_LT(json["steady"], json["judged"]);
}

TEST_F(RobustnessTest, PrintsATableWithTheWorstAtItsEnd) {
  ASSERT_EQ(evaluate({.threads = 2}), kExitOk);
  EXPECT_THAT(out_, HasSubstr("4 pictures (2 normal, 2 pneumonia), model tiny 1, threshold 50.0 %"));
  for (const Perturbation& p : kRobustnessSuite) EXPECT_THAT(out_, HasSubstr("\n" + std::string(p.label)));
  EXPECT_THAT(out_, testing::ContainsRegex("white border, 8 % +50.0 +15.0 to 85.0 +2 +0"));
  EXPECT_THAT(out_, testing::ContainsRegex("[0-9]+ of 34 keep at least 99 % of the verdicts; worst: "));
}

TEST_F(RobustnessTest, JudgesAtTheThresholdGiven) {
  ASSERT_EQ(evaluate({.threshold = 0.0, .threads = 2, .json = true}), kExitOk);
  EXPECT_EQ(row("border_white")["flip_rate"]["value"], 0.0);
  EXPECT_EQ(row("original")["specificity"]["value"], 0.0);
}

TEST_F(RobustnessTest, CountsRefusedPicturesApart) {
  // Cut by a tenth or halved it is under the 32 pixels that can be judged.
  add("NORMAL/IM-0003-0001.png", {.width = 34, .height = 34, .seed = 9});
  ASSERT_EQ(evaluate({.threads = 2, .json = true}), kExitOk) << err_;
  EXPECT_EQ(row("half_size")["refused"], 1);
  EXPECT_EQ(row("half_size")["n"], 4);
  EXPECT_EQ(row("crop_10")["refused"], 1);
  EXPECT_EQ(row("original")["refused"], 0);
  EXPECT_EQ(row("original")["n"], 5);
  EXPECT_EQ(Json::parse(out_)["unreadable"], 0);
}

TEST_F(RobustnessTest, NamesPicturesThatCannotBeReadAtAll) {
  add("NORMAL/IM-0004-0001.png", {.width = 20, .height = 20, .seed = 9});
  std::ofstream(dir_ / "films/NORMAL/broken.jpg") << "no picture";
  samples_ = scan_dataset(dir_ / "films")->samples;
  EXPECT_EQ(evaluate({.threads = 2, .json = true}), kExitSomeFailed);
  const Json json = Json::parse(out_);
  EXPECT_EQ(json["unreadable"], 2);
  EXPECT_EQ(json["unreadable_files"][0]["error"]["code"], "unusable");
  EXPECT_EQ(json["unreadable_files"][1]["error"]["code"], "not_a_picture");
  EXPECT_EQ(row("original")["n"], 4);
  EXPECT_THAT(err_, HasSubstr("broken.jpg"));
}

TEST_F(RobustnessTest, SaysSoWhereNothingWasRead) {
  std::erase_if(samples_, [](const Sample&) { return true; });
  samples_.push_back({.path = dir_ / "missing.png"});
  EXPECT_EQ(evaluate({.threads = 2}), kExitSomeFailed);
  EXPECT_THAT(out_, HasSubstr("no picture was read"));
  EXPECT_EQ(evaluate({.threads = 2, .json = true}), kExitSomeFailed);
  EXPECT_TRUE(Json::parse(out_)["worst"].is_null());
}

TEST_F(RobustnessTest, KeepsEveryScoreAndDoesNotDependOnThreadsOrNeighbours) {
  const std::string csv = (dir_ / "scores.csv").string();
  ASSERT_EQ(evaluate({.threads = 2, .predictions = csv}), kExitOk);
  const std::string both = read_text(csv).value();
  EXPECT_THAT(both, testing::StartsWith("file,label,perturbation,probability,verdict\r\n"));
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(both, '\n')), 1 + 4 * kRobustnessSuite.size());
  const std::string last = samples_.back().path.string();
  EXPECT_THAT(both, HasSubstr("\"" + last + "\",pneumonia,raw_12_bit,"));

  samples_ = {samples_.back()};
  ASSERT_EQ(evaluate({.threads = 1, .predictions = csv}), kExitOk);
  const std::string alone = read_text(csv).value();
  EXPECT_EQ(alone.substr(alone.find('\n')), "\n" + both.substr(both.find("\"" + last)));
}

TEST_F(RobustnessTest, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(evaluate({.threads = 2}, stop.get_token()), kExitInterrupted);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("stopped after 0 of 4"));
}

}  // namespace
}  // namespace xray
