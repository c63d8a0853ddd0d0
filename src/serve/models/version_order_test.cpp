#include "serve/models/version_order.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace xray {
namespace {

TEST(VersionOrder, GoesByNumbersPreviewsBeforeTheirReleases) {
  const std::vector<std::string> ascending = {"",
                                              "0.9",
                                              "1",
                                              "1.0",
                                              "1.0.1",
                                              "1.2-alpha",
                                              "1.2",
                                              "1.9",
                                              "v1.10",
                                              "1.10.1",
                                              "2.0.0-rc.2",
                                              "2.0.0-rc.10",
                                              "2.0.0-rc.x",
                                              "2.0.0",
                                              "2.a",
                                              "2.b",
                                              "10.0.0",
                                              "20260131",
                                              "99999999999999999999999",
                                              "100000000000000000000000",
                                              "nightly"};
  for (std::size_t i = 0; i < ascending.size(); ++i)
    for (std::size_t k = 0; k < ascending.size(); ++k)
      EXPECT_EQ(is_older(ascending[i], ascending[k]), i < k) << ascending[i] << " against " << ascending[k];
}

TEST(VersionOrder, TellsEqualNumbersApartByTheirText) {
  EXPECT_NE(is_older("1.0", "1.00"), is_older("1.00", "1.0"));
  EXPECT_NE(is_older("v1", "1"), is_older("1", "v1"));
  EXPECT_FALSE(is_older("1", "1"));
}

}  // namespace
}  // namespace xray
