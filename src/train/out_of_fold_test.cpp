#include "train/out_of_fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::HasSubstr;

Dataset dataset() {
  Dataset data{.root = "films"};
  data.samples = {
      {"films/NORMAL/IM-1, \"first\".png", Label::kNormal, Subtype::kNone, "IM", "IM:1"},
      {"films/PNEUMONIA/person1_bacteria_1.png", Label::kPneumonia, Subtype::kBacterial, "person",
       "person:1"},
      {"films/PNEUMONIA/person2_virus_1.png", Label::kPneumonia, Subtype::kViral, "person", "person:2"}};
  return data;
}

std::vector<FoldScore> scores() {
  return {{0, 0, {2.5F, -1, 0}}, {1, 1, {-3, 2, 0.25F}}, {2, 0, {-1, 0, 1}}};
}

class FoldScores : public testing::Test {
 protected:
  Result<std::vector<FoldScore>> read(const std::string& text, int classes = 3) {
    EXPECT_TRUE(write_file(dir_ / "scores.csv", text));
    return read_fold_scores(dir_ / "scores.csv", dataset(), classes);
  }
  test::TempDir dir_;
};

TEST_F(FoldScores, SurviveTheirFile) {
  const auto back = read(to_csv(dataset(), scores(), 3));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), 3U);
  for (std::size_t i = 0; i < back->size(); ++i) {
    EXPECT_EQ((*back)[i].sample, scores()[i].sample);
    EXPECT_EQ((*back)[i].fold, scores()[i].fold);
    EXPECT_EQ((*back)[i].logits, scores()[i].logits);
  }
}

TEST_F(FoldScores, AreRefusedByLineWhereDamaged) {
  std::string text = to_csv(dataset(), scores(), 3);
  text.replace(text.find("2.5"), 3, "two");
  const auto back = read(text);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(back.error().message, HasSubstr("line 2"));
}

TEST_F(FoldScores, AreRefusedWhereAFilmHasNoneOrTheClassesDiffer) {
  std::vector<FoldScore> some = scores();
  some.pop_back();
  EXPECT_THAT(read(to_csv(dataset(), some, 3)).error().message, HasSubstr("person2_virus_1.png"));
  EXPECT_EQ(read(to_csv(dataset(), scores(), 3), 2).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_fold_scores(dir_ / "none.csv", dataset(), 3).error().code, ErrorCode::kNotFound);
}

TEST(FoldCases, TellPneumoniaAndKind) {
  const auto cases = pneumonia_cases(dataset(), scores());
  EXPECT_FALSE(cases[0].positive);
  EXPECT_LT(cases[0].probability, 0.15);
  EXPECT_TRUE(cases[1].positive);
  EXPECT_GT(cases[1].probability, 0.95);
  const auto kinds = viral_cases(dataset(), of_known_kind(dataset(), scores()));
  ASSERT_EQ(kinds.size(), 2U);
  EXPECT_FALSE(kinds[0].positive);
  EXPECT_NEAR(kinds[0].probability, 1 / (1 + std::exp(1.75)), 1e-9);
  EXPECT_TRUE(kinds[1].positive);
}

TEST(CrossCalibrated, AFoldsOwnCasesHaveNoSayInItsCalibration) {
  // Fold 0 is always right, fold 1 right as often as not: what the others teach is the opposite.
  std::vector<ScoredCase> cases;
  std::vector<FoldScore> folds;
  for (int i = 0; i < 200; ++i) {
    const bool ill = i % 2 == 0;
    cases.push_back({ill, ill ? 0.8 : 0.2});
    folds.push_back({0, 0, {}});
    cases.push_back({i % 4 < 2, ill ? 0.8 : 0.2});
    folds.push_back({0, 1, {}});
  }
  const auto calibrated = cross_calibrated(cases, folds);
  EXPECT_NEAR(calibrated[0].probability, 0.5, 0.05) << "fold 0 by the coin of fold 1";
  EXPECT_GT(calibrated[1].probability, 0.95) << "fold 1 by the certainty of fold 0";
}

TEST(OverlapAuc, CountsWhatSpeaksAgainstTheDress) {
  // Dress tells nine of ten; each film of a kind stands for ten.
  const std::vector<ScoredCase> dress{{true, 0.9}, {true, 0.1}, {false, 0.1}, {false, 0.9}};
  // By dress alone the films that it speaks for are right, those it speaks against wrong.
  EXPECT_DOUBLE_EQ(overlap_auc(dress, dress), 0.1 * 0.1 + 2 * 0.5 * 0.1 * 0.9);
  // Right everywhere is right by any weight.
  EXPECT_DOUBLE_EQ(overlap_auc({{true, 0.8}, {true, 0.7}, {false, 0.2}, {false, 0.6}}, dress), 1);
  // Wrong on the film whose dress speaks for its label costs little ...
  const double easy = overlap_auc({{true, 0.1}, {true, 0.7}, {false, 0.2}, {false, 0.6}}, dress);
  // ... and on the one whose dress speaks against it, much.
  const double hard = overlap_auc({{true, 0.8}, {true, 0.1}, {false, 0.2}, {false, 0.6}}, dress);
  EXPECT_NEAR(easy, 0.9, 1e-9);
  EXPECT_NEAR(hard, 0.1, 1e-9);
  // Ties count half; equal dress leaves the plain AUC.
  EXPECT_DOUBLE_EQ(overlap_auc({{true, 0.5}, {false, 0.5}}, {{true, 0.5}, {false, 0.5}}), 0.5);
}

std::vector<ScoredCase> ladder() {
  // Scores 0.05, 0.15, ... 0.95; ill from 0.55 on but for one at 0.35, healthy below and one at 0.65.
  std::vector<ScoredCase> cases;
  for (int i = 0; i < 10; ++i) cases.push_back({i == 3 || (i >= 5 && i != 6), 0.05 + 0.1 * i});
  return cases;
}

TEST(OperatingPoint, FollowsItsRule) {
  EXPECT_NEAR(choose_threshold(ladder(), {OperatingRule::kEqualErrors}), 0.5, 1e-9);
  EXPECT_EQ(choose_threshold(ladder(), {OperatingRule::kHalf}), 0.5);
  EXPECT_NEAR(choose_threshold(ladder(), {OperatingRule::kSensitivity, 1.0}), 0.3, 1e-9);
  EXPECT_NEAR(choose_threshold(ladder(), {OperatingRule::kSensitivity, 0.8}), 0.5, 1e-9);
  EXPECT_NEAR(choose_threshold(ladder(), {OperatingRule::kMostAccurate}), 0.3, 1e-9) << "first of three ties";
}

TEST(OperatingPoint, IsOneHalfWhereOneClassIsAbsent) {
  std::vector<ScoredCase> healthy;
  for (const ScoredCase& c : ladder())
    if (!c.positive) healthy.push_back(c);
  EXPECT_EQ(choose_threshold(healthy, {OperatingRule::kEqualErrors}), 0.5);
  EXPECT_EQ(choose_threshold({}, {OperatingRule::kMostAccurate}), 0.5);
}

TEST(Undecided, IsTheNarrowestBandOutsideWhichEnoughIsRight) {
  // Wrong: 0.45 and 0.55 near the threshold, 0.05 far from it.
  std::vector<ScoredCase> cases{{true, 0.45}, {false, 0.55}, {true, 0.05}};
  for (int i = 0; i < 50; ++i) cases.push_back({i % 2 == 0, i % 2 == 0 ? 0.9 : 0.1});
  const Undecided band = choose_undecided(cases, 0.5, 0.98, 0.2);
  EXPECT_LE(band.low, 0.45);
  EXPECT_GT(band.low, 0.4);
  EXPECT_GT(band.high, 0.55);
  EXPECT_LT(band.high, 0.6);
  // No band where all is well, and none wider than allowed.
  const Undecided none = choose_undecided(cases, 0.5, 0.9, 0.2);
  EXPECT_EQ(none.low, none.high);
  const Undecided narrow = choose_undecided(cases, 0.5, 1, 0.02);
  EXPECT_GT(narrow.high, narrow.low);
  EXPECT_LT(narrow.high, 0.56);
}

TEST(OperatingPoint, IsReadFromText) {
  EXPECT_EQ(operating_point_from("accuracy")->rule, OperatingRule::kMostAccurate);
  EXPECT_EQ(operating_point_from("sensitivity:0.98")->sensitivity, 0.98);
  for (const char* bad :
       {"", "best", "sensitivity", "sensitivity:", "sensitivity:2", "sensitivity:0", "sensitivity:x"})
    EXPECT_EQ(operating_point_from(bad).error().code, ErrorCode::kInvalidArgument) << bad;
}

}  // namespace
}  // namespace xray
