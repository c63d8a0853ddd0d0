#include "load/latencies.h"

#include <gtest/gtest.h>

namespace xray::load {
namespace {

using std::chrono::milliseconds;

TEST(Latencies, AreZeroWhereThereWereNone) {
  const LatencySummary summary = Latencies().summary();
  EXPECT_EQ(summary.count, 0U);
  EXPECT_EQ(summary.p99, 0);
}

TEST(Latencies, TellPercentilesByNearestRank) {
  Latencies latencies;
  for (int i = 1000; i >= 1; --i) latencies.add(milliseconds(i));
  const LatencySummary summary = latencies.summary();
  EXPECT_EQ(summary.count, 1000U);
  EXPECT_DOUBLE_EQ(summary.mean, 500.5);
  EXPECT_EQ(summary.p50, 500);
  EXPECT_EQ(summary.p90, 900);
  EXPECT_EQ(summary.p99, 990);
  EXPECT_EQ(summary.p999, 999);
  EXPECT_EQ(summary.max, 1000);
}

TEST(Latencies, OfOneAreThatOne) {
  Latencies latencies;
  latencies.add(milliseconds(7));
  EXPECT_EQ(latencies.summary().p50, 7);
  EXPECT_EQ(latencies.summary().p999, 7);
}

}  // namespace
}  // namespace xray::load
