#include "report/exploration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "report/test_films.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;

Json explored(const test::Films& films, const ListLimits& limits = {}) {
  const Exploration exploration = films.explore();
  PictureNames names(exploration.dataset);
  return to_json(exploration, names, limits);
}

std::vector<std::string> texts(const Exploration& exploration) {
  std::vector<std::string> result;
  for (const Notice& notice : notices(exploration)) result.push_back(notice.text);
  return result;
}

TEST(Exploration, CountsByClassKindGroupAndSplit) {
  const test::Films films;
  films.add("train/NORMAL/IM-0001-0001.png", 1);
  films.add("train/NORMAL/IM-0001-0002.png", 2);
  films.add("test/PNEUMONIA/person1_bacteria_1.png", 3);
  const Json json = explored(films);
  EXPECT_EQ(json["pictures"], 3);
  EXPECT_EQ(json["patients"], 2);
  EXPECT_EQ(json["classes"]["normal"], (Json{{"pictures", 2}, {"patients", 1}, {"readable", 2}}));
  EXPECT_EQ(json["counts"][0], (Json{{"label", "normal"},
                                     {"subtype", "none"},
                                     {"group", "IM"},
                                     {"split", "train"},
                                     {"pictures", 2},
                                     {"patients", 1}}));
  EXPECT_EQ(json["counts"][1]["subtype"], "bacterial");
  EXPECT_EQ(json["films_per_patient"], (Json{{{"films", 1}, {"normal", 0}, {"pneumonia", 1}},
                                             {{"films", 2}, {"normal", 1}, {"pneumonia", 0}}}));
  EXPECT_EQ(json["formats"]["list"][0],
            (Json{{"format", "PNG"}, {"channels", 1}, {"bits", 8}, {"normal", 2}, {"pneumonia", 1}}));
}

TEST(Exploration, WarnsOfAShortcut) {
  const test::Films films;
  for (std::uint64_t i = 1; i <= 12; ++i) {
    films.add("NORMAL/n" + std::to_string(i) + ".png", i, 96);
    films.add("PNEUMONIA/p" + std::to_string(i) + ".png", 100 + i, 80 + static_cast<int>(i % 3));
  }
  const Exploration exploration = films.explore();
  const auto features = summarise_features(exploration);
  const FeatureSummary& width = features[static_cast<std::size_t>(Feature::kWidth)];
  EXPECT_EQ(width.auc.value, 0);
  EXPECT_EQ(width.quartiles[0].median, 96);
  EXPECT_NE(width.shortcut, Weight::kFine);
  const FeatureSummary& height = features[static_cast<std::size_t>(Feature::kHeight)];
  EXPECT_EQ(height.auc.value, 0.5);
  EXPECT_EQ(height.shortcut, Weight::kFine);
  EXPECT_THAT(
      texts(exploration),
      Contains(HasSubstr("Width alone tells the classes apart with an AUC of 1.00 (lower in pneumonia)")));
  EXPECT_THAT(texts(exploration), testing::Not(Contains(HasSubstr("Height"))));
}

TEST(Exploration, HasEveryPictureInEveryHistogram) {
  const test::Films films;
  for (std::uint64_t i = 1; i <= 9; ++i)
    films.add("NORMAL/n" + std::to_string(i) + ".png", i, 60 + static_cast<int>(i * i));
  films.add("PNEUMONIA/p.png", 40);
  for (const FeatureSummary& summary : summarise_features(films.explore())) {
    EXPECT_EQ(std::accumulate(summary.counts[0].begin(), summary.counts[0].end(), std::int64_t{0}), 9)
        << name(summary.feature);
    EXPECT_EQ(std::accumulate(summary.counts[1].begin(), summary.counts[1].end(), std::int64_t{0}), 1)
        << name(summary.feature);
    EXPECT_EQ(summary.edges.size(), summary.counts[0].size() + 1) << name(summary.feature);
    EXPECT_TRUE(std::is_sorted(summary.edges.begin(), summary.edges.end())) << name(summary.feature);
  }
}

TEST(ShortcutWeight, IsJudgedAtTheNearerEndOfTheInterval) {
  EXPECT_EQ(shortcut_weight({0.9, 0.85, 0.95}), Weight::kSerious);
  EXPECT_EQ(shortcut_weight({0.1, 0.05, 0.15}), Weight::kSerious);
  EXPECT_EQ(shortcut_weight({0.9, 0.7, 0.99}), Weight::kNotable);
  EXPECT_EQ(shortcut_weight({0.9, 0.5, 0.99}), Weight::kFine);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(shortcut_weight({nan, nan, nan}), Weight::kFine);
}

TEST(Exploration, FindsRepeatedPicturesAndWhatTheyPutInDoubt) {
  const test::Films films;
  const Image film = test::make_clouds(50, 448, 384);
  films.add("train/NORMAL/IM-0001-0001.png", 1);
  films.add("test/NORMAL/IM-0001-0002.png", 1);
  films.add("train/NORMAL/IM-0009-0001.jpeg", encode_jpeg(film, 95).value());
  films.add("train/PNEUMONIA/person9_virus_1.jpeg", encode_jpeg(film, 40).value());
  films.add("train/PNEUMONIA/person3_virus_1.png", 7);
  films.add("train/PNEUMONIA/person3_virus_2.png", 7);
  const Json duplicates = explored(films)["duplicates"];
  EXPECT_EQ(duplicates["groups"], 3);
  EXPECT_EQ(duplicates["surplus"], 3);
  EXPECT_EQ(duplicates["same_bytes"], 2);
  EXPECT_EQ(duplicates["across_labels"], 1);
  EXPECT_EQ(duplicates["across_splits"], 1);
  EXPECT_EQ(duplicates["across_patients"], 1);
  // The gravest first.
  EXPECT_EQ(duplicates["list"][0]["across_labels"], true);
  EXPECT_EQ(duplicates["list"][0]["members"][1]["file"], "train/PNEUMONIA/person9_virus_1.jpeg");
  EXPECT_EQ(duplicates["list"][1]["across_splits"], true);
  EXPECT_EQ(duplicates["list"][2]["across_patients"], false);

  const Exploration exploration = films.explore();
  const auto found = notices(exploration);
  EXPECT_EQ(found.front().weight, Weight::kSerious);
  EXPECT_THAT(found.front().text, HasSubstr("1 picture is in both classes"));
  EXPECT_THAT(texts(exploration), Contains(HasSubstr("1 picture is on several sides of the split")));
}

TEST(Exploration, FindsPatientsOnSeveralSides) {
  const test::Films films;
  films.add("train/NORMAL/IM-0001-0001.png", 1);
  films.add("train/NORMAL/IM-0001-0002.png", 2);
  films.add("test/NORMAL/IM-0001-0003.png", 3);
  films.add("val/NORMAL/IM-0002-0001.png", 4);
  const Json leaks = explored(films)["leaks"];
  EXPECT_EQ(leaks["patients"], 1);
  EXPECT_EQ(leaks["list"][0], (Json{{"patient", "IM:0001"}, {"train", 2}, {"validation", 0}, {"test", 1}}));
  EXPECT_THAT(texts(films.explore()), Contains(HasSubstr("1 patient is on several sides of the split")));
}

TEST(Exploration, GoesOnPastWhatCannotBeRead) {
  const test::Films films;
  films.add("NORMAL/a.png", 1);
  films.add("NORMAL/b.png", std::as_bytes(std::span(std::string_view("no picture"))));
  const Exploration exploration = films.explore();
  PictureNames names(exploration.dataset);
  const Json json = to_json(exploration, names);
  EXPECT_EQ(json["unreadable"]["pictures"], 1);
  EXPECT_EQ(json["unreadable"]["list"][0]["file"], "NORMAL/b.png");
  EXPECT_EQ(json["unreadable"]["list"][0]["code"], "not_a_picture");
  EXPECT_EQ(json["classes"]["normal"]["readable"], 1);
  // One class alone has no AUC, and no difference of means.
  EXPECT_TRUE(json["features"][0]["auc"]["value"].is_null());
  EXPECT_THAT(texts(exploration), Contains(HasSubstr("no readable picture of the class pneumonia")));
  const Json means = mean_pictures(exploration);
  EXPECT_TRUE(means.contains("normal"));
  EXPECT_FALSE(means.contains("difference"));
}

TEST(Exploration, BoundsItsListsAndSaysHowManyThereAre) {
  const test::Films films;
  for (int i = 1; i <= 4; ++i)
    for (const char* side : {"train", "test"})
      films.add(std::string(side) + "/NORMAL/IM-000" + std::to_string(i) + "-0001.png",
                static_cast<std::uint64_t>(i));
  const Json json = explored(films, {.entries = 2, .members = 1});
  EXPECT_EQ(json["leaks"]["patients"], 4);
  EXPECT_EQ(json["leaks"]["list"].size(), 2U);
  EXPECT_EQ(json["duplicates"]["groups"], 4);
  EXPECT_EQ(json["duplicates"]["list"].size(), 2U);
  EXPECT_EQ(json["duplicates"]["list"][0]["pictures"], 2);
  EXPECT_EQ(json["duplicates"]["list"][0]["members"].size(), 1U);
}

TEST(Exploration, NamesTheMembersThatMakeAConflictFirst) {
  const test::Films films;
  for (const char* name : {"NORMAL/a.png", "NORMAL/b.png", "NORMAL/c.png", "PNEUMONIA/d.png"})
    films.add(name, 1);
  const Json group = explored(films)["duplicates"]["list"][0];
  EXPECT_EQ(group["members"][0]["file"], "NORMAL/a.png");
  EXPECT_EQ(group["members"][1]["file"], "PNEUMONIA/d.png");
  EXPECT_EQ(group["members"].size(), 4U);
}

TEST(MeanPictures, ShowTheDifferenceOfTheClasses) {
  const test::Films films;
  films.add("NORMAL/a.png", encode_png(Image(64, 64, Image::Pixels8(4096, 60))).value());
  films.add("PNEUMONIA/b.png", encode_png(Image(64, 64, Image::Pixels8(4096, 100))).value());
  const Json means = mean_pictures(films.explore());
  EXPECT_THAT(means["difference"].get<std::string>(), testing::StartsWith("data:image/png;base64,"));
  EXPECT_NEAR(means["difference_range"].get<double>(), 40, 0.01);
}

TEST(Explorer, StopsWhenAsked) {
  const test::Films films;
  films.add("NORMAL/a.png", 1);
  Explorer explorer(films.scan());
  explorer.add(measure_picture(explorer.dataset().samples[0].path));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(std::move(explorer).finish(1, stop.get_token()));
}

}  // namespace
}  // namespace xray
