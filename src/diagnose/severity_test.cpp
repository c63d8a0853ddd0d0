#include "diagnose/severity.h"

#include <gtest/gtest.h>

#include "diagnose/comparison.h"

namespace xray {
namespace {

/// A film of 6 x 6 cells: two lungs of two columns with a gap between, two rows a zone.
ZoneMap six_zones() {
  ZoneMap zones{6, 6, std::vector<std::uint8_t>(36)};
  for (int y = 0; y < 6; ++y)
    for (const int x : {0, 1, 4, 5})
      zones.zone[static_cast<std::size_t>(y * 6 + x)] = static_cast<std::uint8_t>((x < 3 ? 1 : 4) + y / 2);
  return zones;
}

OpacityMap opaque_where(const std::vector<std::pair<std::size_t, float>>& cells) {
  OpacityMap map{6, 6, std::vector<float>(36), {0, 0, kFilmSide, kFilmSide}};
  for (const auto& [cell, value] : cells) map.opacity[cell] = value;
  return map;
}

SeverityModel model() {
  SeverityModel model;
  model.opaque = 0.25;
  model.margins = {.score = 2, .score_change = 1, .zone_change = 0.5, .extent_change = 5};
  return model;
}

TEST(Severity, AddsUpTheZones) {
  // All of zone A white, half of zone F half white.
  const OpacityMap map = opaque_where({{0, 1}, {1, 1}, {6, 1}, {7, 1}, {28, 0.5F}, {29, 0.5F}});
  const Severity severity = severity_of(model(), map, six_zones());
  EXPECT_DOUBLE_EQ(severity.zones[0].score, 3);
  EXPECT_DOUBLE_EQ(severity.zones[0].extent, 100);
  EXPECT_DOUBLE_EQ(severity.zones[5].score, 0.75);
  EXPECT_DOUBLE_EQ(severity.zones[5].extent, 50);
  EXPECT_DOUBLE_EQ(severity.score, 3.75);
  EXPECT_DOUBLE_EQ(severity.low, 1.75);
  EXPECT_DOUBLE_EQ(severity.high, 5.75);
  EXPECT_DOUBLE_EQ(severity.extent, 100.0 * 6 / 24);
  EXPECT_DOUBLE_EQ(severity.right_extent, 100.0 * 4 / 12);
  EXPECT_DOUBLE_EQ(severity.left_extent, 100.0 * 2 / 12);
}

TEST(Severity, KeepsItsIntervalOnTheScale) {
  const Severity clear = severity_of(model(), opaque_where({}), six_zones());
  EXPECT_EQ(clear.low, 0);
  EXPECT_EQ(clear.grade(), Grade::kMild);
  OpacityMap white = opaque_where({});
  for (float& value : white.opacity) value = 1;
  const Severity full = severity_of(model(), white, six_zones());
  EXPECT_DOUBLE_EQ(full.score, 18);
  EXPECT_EQ(full.high, 18);
  EXPECT_EQ(full.grade(), Grade::kSevere);
}

TEST(Severity, IsHardlyNormalInAllOrInOneZone) {
  SeverityModel strict = model();
  strict.hardly_normal = 2;
  strict.hardly_normal_zone = 1;
  const auto hardly = [&](const std::vector<std::pair<std::size_t, float>>& cells) {
    return is_hardly_normal(strict, severity_of(strict, opaque_where(cells), six_zones()));
  };
  EXPECT_FALSE(hardly({{0, 1}}));                   // a quarter of zone A
  EXPECT_TRUE(hardly({{0, 1}, {1, 1}}));            // half of it
  EXPECT_TRUE(hardly({{0, 1}, {12, 1}, {24, 1}}));  // a quarter of three zones
}

TEST(Severity, IsZeroWithoutLungs) {
  const ZoneMap none{6, 6, std::vector<std::uint8_t>(36)};
  const Severity severity = severity_of(model(), opaque_where({{0, 1}}), none);
  EXPECT_EQ(severity.score, 0);
  EXPECT_EQ(severity.extent, 0);
}

TEST(Grades, ArePartedAtEightAndTwelve) {
  EXPECT_EQ(grade_of(7.9), Grade::kMild);
  EXPECT_EQ(grade_of(8), Grade::kModerate);
  EXPECT_EQ(grade_of(12), Grade::kSevere);
}

TEST(SeverityAsJson, NamesZonesAndPlaces) {
  const Severity severity = severity_of(model(), opaque_where({{4, 1}, {5, 1}}), six_zones());
  const auto json = to_json(severity);
  EXPECT_EQ(json.at("extent"), 8.3);
  EXPECT_EQ(json.at("score"), 1.5);
  EXPECT_EQ(json.at("grade"), "mild");
  EXPECT_EQ(json.at("interval"), nlohmann::json::parse("[0.0, 3.5]"));
  const auto zones = zones_json(severity);
  ASSERT_EQ(zones.size(), 6U);
  EXPECT_EQ(zones[3].at("zone"), "D");
  EXPECT_EQ(zones[3].at("place"), "left upper");
  EXPECT_EQ(zones[3].at("score"), 1.5);
}

Finding finding_of(const OpacityMap& map) {
  Finding finding;
  finding.model = "test 1";
  finding.severity = severity_of(model(), map, six_zones());
  return finding;
}

TEST(Comparison, TellsChangeFromNoise) {
  const Finding before = finding_of(opaque_where({{0, 1}, {1, 1}, {6, 1}, {7, 1}}));
  const Finding after = finding_of(opaque_where({{0, 0.2F}, {1, 0.2F}, {28, 0.1F}}));
  const auto comparison = compare(before, after);
  ASSERT_TRUE(comparison) << comparison.error().message;
  EXPECT_EQ(comparison->course(), Comparison::Course::kBetter);
  EXPECT_LT(comparison->score.difference(), -1);
  EXPECT_TRUE(comparison->zones[0].beyond_noise());
  EXPECT_FALSE(comparison->zones[5].beyond_noise());
  EXPECT_EQ(compare(after, before)->course(), Comparison::Course::kWorse);
  EXPECT_EQ(compare(before, before)->course(), Comparison::Course::kUnchanged);
  const auto json = to_json(*comparison);
  EXPECT_EQ(json.at("change"), "better");
  EXPECT_EQ(json.at("zones")[0].at("beyond_noise"), true);
}

TEST(Comparison, NeedsSeverityOfOneModel) {
  const Finding some = finding_of(opaque_where({}));
  EXPECT_EQ(compare(some, Finding{}).error().code, ErrorCode::kUnusable);
  Finding other = some;
  other.model = "test 2";
  EXPECT_EQ(compare(some, other).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
