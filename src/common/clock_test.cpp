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

/// In milliseconds since 1970; -1 where it is none.
std::int64_t read(std::string_view text) {
  const auto time = parse_time(text);
  return time ? time->time.time_since_epoch().count() : -1;
}

TEST(Clock, ReadsDaysAndTimes) {
  EXPECT_EQ(read("1994-11-06T08:49:37.042Z"), 784111777042);
  EXPECT_EQ(read("1994-11-06t09:49:37.042+01:00"), 784111777042);
  EXPECT_EQ(read("1994-11-06 05:19:37-03:30"), 784111777000);
  EXPECT_EQ(read("1994-11-06T08:49:37.5z"), 784111777500);
  EXPECT_EQ(read("1994-11-06T08:49:37.0420000001Z"), 784111777043);
  EXPECT_EQ(read("1970-01-02"), 86'400'000);
  EXPECT_TRUE(parse_time("1970-01-02")->is_day);
  EXPECT_FALSE(parse_time("1970-01-02T00:00:00Z")->is_day);
  EXPECT_EQ(read("9999-12-31"), 253402214400000);
}

TEST(Clock, ReadsNothingElse) {
  for (const char* text :
       {"", "1994", "1994-02-30", "1994-13-01", "1994-11-06T08:49:37", "1994-11-06T24:00:00Z",
        "1994-11-06T08:60:00Z", "1994-11-06T08:49Z", "1994-11-06T08:49:37.Z", "1994-11-06Z",
        "1994-11-06T08:49:37+1:00", "1994-11-06T08:49:37+24:00", " 1994-11-06", "1994-11-06 ", "-994-11-06",
        "yesterday"})
    EXPECT_EQ(read(text), -1) << text;
}

}  // namespace
}  // namespace xray
