#include "common/clock.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

TEST(Clock, WritesTimesAsTheStandardsShowThem) {
  // 784111777 s is the example of RFC 9110, section 5.6.7.
  const system_clock::time_point time{milliseconds(784111777042)};
  EXPECT_EQ(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(rfc3339(time), "1994-11-06T08:49:37.042Z");
}

TEST(Clock, RoundsDownAndKnowsLeapDays) {
  EXPECT_EQ(rfc3339(system_clock::time_point{std::chrono::microseconds(1709251199999999)}),
            "2024-02-29T23:59:59.999Z");
}

}  // namespace
}  // namespace xray
