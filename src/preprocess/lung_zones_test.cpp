#include "preprocess/lung_zones.h"

#include <gtest/gtest.h>

#include <set>

namespace xray {
namespace {

constexpr int kGrid = 64;

LungField field_of(const std::vector<Frame>& lungs) {
  LungField field{kGrid, kGrid, std::vector<float>(kGrid * kGrid)};
  for (const Frame& lung : lungs)
    for (int y = static_cast<int>(lung.y); y < lung.y + lung.height; ++y)
      for (int x = static_cast<int>(lung.x); x < lung.x + lung.width; ++x)
        field.probability[static_cast<std::size_t>(y * kGrid + x)] = 1;
  return field;
}

int zone_at(const ZoneMap& zones, int x, int y) {
  return zones.zone[static_cast<std::size_t>(y * kGrid + x)];
}

TEST(LungZones, AreThirdsOfEachLungByItsOwnHeight) {
  // The left one on the picture, the patient's right lung, begins higher and is longer.
  const ZoneMap zones = zones_of(field_of({{8, 6, 16, 48}, {40, 24, 16, 24}}));
  EXPECT_EQ(zone_at(zones, 10, 7), 1);
  EXPECT_EQ(zone_at(zones, 10, 23), 2);
  EXPECT_EQ(zone_at(zones, 10, 53), 3);
  EXPECT_EQ(zone_at(zones, 50, 24), 4);
  EXPECT_EQ(zone_at(zones, 50, 33), 5);
  EXPECT_EQ(zone_at(zones, 50, 47), 6);
  EXPECT_EQ(zone_at(zones, 32, 30), 0);
}

TEST(LungZones, PartLungsThatTouchInTheMiddle) {
  const ZoneMap zones = zones_of(field_of({{8, 10, 48, 30}}));
  EXPECT_EQ(zone_at(zones, 31, 10), 1);
  EXPECT_EQ(zone_at(zones, 32, 10), 4);
  EXPECT_EQ(zone_at(zones, 55, 39), 6);
}

TEST(LungZones, PassOverSpecksAndEmptyFields) {
  const ZoneMap zones = zones_of(field_of({{8, 16, 16, 32}, {40, 16, 16, 32}, {0, 0, 3, 3}}));
  EXPECT_EQ(zone_at(zones, 1, 1), 0);
  const ZoneMap none = zones_of(field_of({}));
  EXPECT_EQ(std::set<int>(none.zone.begin(), none.zone.end()), std::set<int>{0});
}

TEST(OpacityInZones, IsReadWhereTheMapLiesOnTheFilm) {
  const ZoneMap zones = zones_of(field_of({{0, 0, 32, 64}, {40, 0, 24, 64}}));
  // A map over the left half of the film alone: clear above, white below.
  const OpacityMap map{2, 2, {0, 0, 1, 1}, {0, 0, kFilmSide / 2.0, kFilmSide}};
  const std::array<double, kZones> means = zone_means(map, zones);
  EXPECT_NEAR(means[0], 0, 0.06);
  EXPECT_NEAR(means[1], 0.5, 0.02);
  EXPECT_NEAR(means[2], 1, 0.06);
  // Beyond the map's rim its outermost cells go on.
  EXPECT_NEAR(means[5], 1, 0.06);
  const std::vector<float> opacity = opacity_in_zones(map, zones);
  EXPECT_EQ(opacity[static_cast<std::size_t>(60 * kGrid + 36)], 0);  // between the lungs
}

}  // namespace
}  // namespace xray
