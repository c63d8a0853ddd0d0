#include "preprocess/lung_zones.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/lung_rectangles.h"

namespace xray {
namespace {

using test::field_of;
using test::kGrid;

/// Mean of the cells of each zone.
std::array<double, kZones> zone_means(const std::vector<float>& opacity, const ZoneMap& zones) {
  std::array<double, kZones> sum{};
  std::array<double, kZones> cells{};
  for (std::size_t cell = 0; cell < opacity.size(); ++cell) {
    if (zones.zone[cell] == 0) continue;
    sum[zones.zone[cell] - 1U] += static_cast<double>(opacity[cell]);
    cells[zones.zone[cell] - 1U] += 1;
  }
  for (std::size_t zone = 0; zone < kZones; ++zone) sum[zone] /= std::max(cells[zone], 1.0);
  return sum;
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
  const std::vector<float> opacity = opacity_in_zones(map, zones);
  const std::array<double, kZones> means = zone_means(opacity, zones);
  EXPECT_NEAR(means[0], 0, 0.06);
  EXPECT_NEAR(means[1], 0.5, 0.02);
  EXPECT_NEAR(means[2], 1, 0.06);
  // Beyond the map's rim its outermost cells go on.
  EXPECT_NEAR(means[5], 1, 0.06);
  EXPECT_EQ(opacity[static_cast<std::size_t>(60 * kGrid + 36)], 0);  // between the lungs
}

}  // namespace
}  // namespace xray
