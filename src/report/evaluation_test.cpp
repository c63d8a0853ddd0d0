#include "report/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "report/test_films.h"
#include "support/phantom.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

/// Judgements of pictures that are nowhere on the disk.
class Judged {
 public:
  Judged() { evaluation.dataset.root = "data"; }

  void add(const std::string& group, Label label, Subtype kind, double probability, int width = 100) {
    const std::size_t sample = evaluation.dataset.samples.size();
    evaluation.dataset.samples.push_back(
        {.path = "data/" + std::to_string(sample) + ".png", .label = label, .subtype = kind, .group = group});
    evaluation.judgements.push_back({.sample = sample,
                                     .probability = probability,
                                     .subtype = Subtype::kBacterial,
                                     .width = width,
                                     .height = 100});
  }

  std::map<std::string, Subgroup> groups() const {
    std::map<std::string, Subgroup> found;
    for (Subgroup& group : subgroups(evaluation)) found[group.by + " " + group.name] = std::move(group);
    return found;
  }

  Evaluation evaluation;
};

Judged four_films() {
  Judged judged;
  judged.add("IM", Label::kNormal, Subtype::kNone, 0.1);
  judged.add("NORMAL2-IM", Label::kNormal, Subtype::kNone, 0.7);
  judged.add("person", Label::kPneumonia, Subtype::kBacterial, 0.9);
  judged.add("person", Label::kPneumonia, Subtype::kViral, 0.4);
  return judged;
}

TEST(Subgroups, AreMeasuredEachByItself) {
  const auto groups = four_films().groups();
  EXPECT_EQ(groups.at("group IM").specificity.value, 1);
  EXPECT_EQ(groups.at("group NORMAL2-IM").specificity.value, 0);
  EXPECT_TRUE(std::isnan(groups.at("group IM").sensitivity.value));
  EXPECT_EQ(groups.at("kind bacterial").sensitivity.value, 1);
  EXPECT_EQ(groups.at("kind viral").sensitivity.value, 0);
  EXPECT_EQ(groups.at("kind viral").pneumonia, 1);
}

TEST(Subgroups, OfOneClassAreRankedAgainstTheWholeOther) {
  const auto groups = four_films().groups();
  EXPECT_EQ(groups.at("kind viral").auc.value, 0.5);
  EXPECT_EQ(groups.at("group IM").auc.value, 1);
  EXPECT_EQ(groups.at("group NORMAL2-IM").auc.value, 0.5);
  EXPECT_EQ(groups.at("kind viral").normal, 0) << "those of the other class do not count as its own";
}

TEST(Subgroups, LeaveOutWhatWouldBeTheWholeAgain) {
  for (const auto& [name, group] : four_films().groups()) EXPECT_NE(group.by, "size") << name;
  Judged judged = four_films();
  for (int i = 0; i < 6; ++i) judged.add("IM", Label::kNormal, Subtype::kNone, 0.1, 1000 * (i + 1));
  std::int64_t pictures = 0;
  int thirds = 0;
  for (const auto& [name, group] : judged.groups())
    if (group.by == "size") {
      ++thirds;
      pictures += group.normal + group.pneumonia;
    }
  EXPECT_EQ(thirds, 3);
  EXPECT_EQ(pictures, 10);
}

TEST(Mistakes, BeginWithTheWorst) {
  Judged judged = four_films();
  judged.add("IM", Label::kNormal, Subtype::kNone, 0.99);
  judged.add("IM", Label::kNormal, Subtype::kNone, 0.5);
  const auto alarms = mistakes(judged.evaluation, Label::kNormal);
  ASSERT_EQ(alarms.size(), 3U);
  EXPECT_EQ(alarms[0].probability, 0.99);
  EXPECT_EQ(alarms[2].probability, 0.5) << "at the threshold the verdict is pneumonia";
  const auto misses = mistakes(judged.evaluation, Label::kPneumonia);
  ASSERT_EQ(misses.size(), 1U);
  EXPECT_EQ(misses[0].probability, 0.4);
}

TEST(CompareKinds, CountsWhatNameAndModelBothTell) {
  Judged judged = four_films();
  judged.add("x", Label::kPneumonia, Subtype::kUnknown, 0.9);
  const Kinds kinds = compare_kinds(judged.evaluation);
  EXPECT_EQ(kinds.n, 2);
  EXPECT_EQ(kinds.counts[0][0], 1);
  EXPECT_EQ(kinds.counts[1][0], 1);
  EXPECT_EQ(kinds.accuracy.value, 0.5);
}

TEST(EvaluationJson, HoldsEveryFigureOfThePage) {
  Judged judged = four_films();
  judged.evaluation.card = test::tiny_card();
  judged.evaluation.unreadable.emplace_back(1, Error{ErrorCode::kDamaged, "half of it"});
  PictureNames names(judged.evaluation.dataset);
  const Metrics metrics = measure(scored_cases(judged.evaluation), 0.5, 50);
  const Json json = Json::parse(to_json(judged.evaluation, metrics, names, 1).dump());
  EXPECT_EQ(json["model"], "tiny 1");
  EXPECT_EQ(json["metrics"]["confusion"]["false_positive"], 1);
  EXPECT_EQ(json["roc"]["points"].front()[0], Json()) << "no threshold is infinite in JSON";
  EXPECT_EQ(json["roc"]["points"].back()[2], 1);
  EXPECT_EQ(json["thresholds"].size(), 201U);
  EXPECT_EQ(json["reliability"].size(), 15U);
  EXPECT_TRUE(json["reliability"][5]["mean_probability"].is_number());
  EXPECT_EQ(json["scores"]["normal"].size(), 40U);
  EXPECT_EQ(json["mistakes"]["normal"]["list"][0]["file"], "1.png");
  EXPECT_EQ(json["mistakes"]["pneumonia"]["list"][0]["probability"], 0.4);
  EXPECT_EQ(json["card"]["intended_use"], "tests");
  EXPECT_EQ(json["unreadable"]["list"][0]["code"], "damaged");
  EXPECT_EQ(names.named().size(), 2U);
}

TEST(EvaluationJson, ExistsWithOneClassAndWithNone) {
  Judged judged;
  judged.evaluation.card = test::tiny_card();
  PictureNames names(judged.evaluation.dataset);
  const auto tell = [&] {
    return to_json(judged.evaluation, measure(scored_cases(judged.evaluation), 0.5, 10), names, 5);
  };
  EXPECT_TRUE(tell()["roc"]["points"].empty());
  judged.add("IM", Label::kNormal, Subtype::kNone, 0.1);
  EXPECT_TRUE(tell()["kinds"].is_null());
  EXPECT_TRUE(tell()["subgroups"].empty());
}

TEST(HeatMaps, LieOverWhatTheModelCanRead) {
  const test::Films films;
  films.add("NORMAL/a.png", encode_png(test::make_phantom({.seed = 1, .opacity = 1})).value());
  films.add("NORMAL/b.png", std::as_bytes(std::span(std::string_view("no picture"))));
  const test::TempDir dir;
  ASSERT_TRUE(test::write_tiny_package(dir / "tiny"));
  const auto diagnoser = make_diagnoser(dir / "tiny");
  ASSERT_TRUE(diagnoser);
  const PictureUris maps = heat_maps(films.scan(), {0, 1}, **diagnoser, 2);
  ASSERT_EQ(maps.size(), 1U);
  EXPECT_THAT(maps.at(0), testing::StartsWith("data:image/png;base64,iVBOR"));
}

}  // namespace
}  // namespace xray
