#include "report/label_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace xray {
namespace {

using testing::HasSubstr;

/// Films `n0`.. and `p0`.. below data/, which are nowhere on the disk.
Dataset films(int normal, int pneumonia) {
  Dataset dataset{.root = "data"};
  for (int i = 0; i < normal; ++i)
    dataset.samples.push_back(
        {.path = "data/NORMAL/n" + std::to_string(i) + ".png", .label = Label::kNormal});
  for (int i = 0; i < pneumonia; ++i)
    dataset.samples.push_back(
        {.path = "data/PNEUMONIA/p" + std::to_string(i) + ".png", .label = Label::kPneumonia});
  return dataset;
}

TEST(ReadScores, TakesTheTwoColumnsWhereverTheyStand) {
  const auto scores = read_scores(
      "fold,probability,file,note\r\n"
      "0,0.25,NORMAL/n0.png,\"quoted, with \"\"quotes\"\"\nand a line\"\r\n"
      "1,,NORMAL/n1.png,\r\n"
      "1,1e-3,\"data/PNEUMONIA/p0.png\",\r\n"
      "1,0.5,NORMAL/elsewhere.png,x\r\n",
      films(2, 1));
  ASSERT_TRUE(scores) << scores.error().message;
  EXPECT_EQ(scores->probabilities[0], 0.25);
  EXPECT_EQ(scores->probabilities[1], std::nullopt);
  EXPECT_EQ(scores->probabilities[2], 0.001);
  EXPECT_EQ(scores->unknown, 1U);
}

TEST(ReadScores, TakesTablesOfSpreadsheets) {
  const auto scores =
      read_scores("\xEF\xBB\xBF\"file\",\"probability\"\n\"NORMAL/n0.png\",\"0.5\"", films(1, 0));
  ASSERT_TRUE(scores) << scores.error().message;
  EXPECT_EQ(scores->probabilities[0], 0.5);
}

TEST(ReadScores, SaysWhichLineIsWrong) {
  const auto refusal = [](const char* csv) {
    const auto scores = read_scores(csv, films(2, 0));
    return scores ? std::string("taken") : scores.error().message;
  };
  EXPECT_THAT(refusal(""), HasSubstr("line 1: the header names no columns"));
  EXPECT_THAT(refusal("file,score\n"), HasSubstr("line 1"));
  EXPECT_THAT(refusal("file,probability\nNORMAL/n0.png,1.5\n"), HasSubstr("line 2: the probability"));
  EXPECT_THAT(refusal("file,probability\nNORMAL/n0.png,0.5x\n"), HasSubstr("line 2: the probability"));
  EXPECT_THAT(refusal("file,probability\nNORMAL/n0.png,nan\n"), HasSubstr("line 2: the probability"));
  EXPECT_THAT(refusal("file,probability\n\nNORMAL/n0.png\n"), HasSubstr("line 3: 1 fields"));
  EXPECT_THAT(refusal("file,probability\n\"NORMAL/n0.png,0.5\n"), HasSubstr("line 2: a quote stays open"));
  EXPECT_THAT(refusal("file,probability\n\"a\"b,0.5\n"), HasSubstr("line 2: text follows"));
  EXPECT_THAT(refusal("file,probability\nNORMAL/n0.png,0.5\nNORMAL/n0.png,0.6\n"),
              HasSubstr("line 3: a picture"));
}

TEST(AuditLabels, PutsTheLeastLikelyLabelFirst) {
  const Dataset dataset = films(4, 4);
  const Scores scores{{0.1, 0.95, 0.2, std::nullopt, 0.9, 0.8, 0.02, 0.7}, 0};
  const LabelAudit audit = audit_labels(dataset, scores);
  EXPECT_EQ(audit.scored, 7);
  EXPECT_EQ(audit.unscored, 1);
  ASSERT_EQ(audit.suspects.size(), 7U);
  EXPECT_EQ(audit.suspects[0].sample, 6U);
  EXPECT_EQ(audit.suspects[1].sample, 1U);
  EXPECT_EQ(audit.suspects.back().sample, 4U);
}

TEST(AuditLabels, CallsAnErrorLikelyWhereTheOtherClassWouldBeProudOfTheScore) {
  const Dataset dataset = films(4, 4);
  // Pneumonia scores 0.75 on average in its own films, normal (one minus the score) 0.575.
  const LabelAudit audit = audit_labels(dataset, {{0.1, 0.1, 0.74, 0.76, 0.9, 0.9, 0.9, 0.3}, 0});
  EXPECT_EQ(audit.likely, 2);
  EXPECT_EQ(audit.suspects[0].sample, 3U);
  EXPECT_TRUE(audit.suspects[0].likely);
  EXPECT_EQ(audit.suspects[1].sample, 2U);
  EXPECT_FALSE(audit.suspects[1].likely);
  EXPECT_EQ(audit.suspects[2].sample, 7U);
  EXPECT_TRUE(audit.suspects[2].likely);
}

TEST(AuditLabels, BlamesNobodyWithOneClassOnly) {
  EXPECT_EQ(audit_labels(films(2, 0), {{0.1, 0.9}, 0}).likely, 0);
}

TEST(AuditLabels, NamesAsManyAsAreAskedFor) {
  const Dataset dataset = films(3, 3);
  PictureNames names(dataset);
  const auto json = to_json(audit_labels(dataset, {{0.1, 0.2, 0.9, 0.9, 0.8, 0.1}, 2}), names, 2);
  EXPECT_EQ(json["list"].size(), 2U);
  EXPECT_EQ(json["list"][0]["file"], "NORMAL/n2.png");
  EXPECT_EQ(json["list"][0]["probability"], 0.9);
  EXPECT_EQ(json["unknown_rows"], 2);
  EXPECT_EQ(names.named().size(), 2U);
}

}  // namespace
}  // namespace xray
