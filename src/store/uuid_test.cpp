#include "store/uuid.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace xray {
namespace {

TEST(Uuid7, CarriesTimeVersionAndVariant) {
  Uuid7Maker maker;
  // The time of RFC 9562's own example (appendix A.6).
  const std::chrono::system_clock::time_point time{
      std::chrono::milliseconds(0x7F22E279B0LL + (0x2LL << 40U))};
  const std::string id = maker.make(time);
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(id.substr(0, 13), "027f22e2-79b0");
  EXPECT_EQ(uuid7_time(id), time);
  const auto moment = std::chrono::floor<std::chrono::milliseconds>(time);
  EXPECT_LE(first_uuid7(moment), id);
  EXPECT_GT(first_uuid7(moment + std::chrono::milliseconds(1)), id);
  EXPECT_EQ(id[14], '7');
  EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
}

TEST(Uuid7, GrowsWithinAMillisecondAndWhenTheClockStepsBack) {
  Uuid7Maker maker;
  auto time = std::chrono::system_clock::time_point{std::chrono::hours(24 * 365 * 100)};
  std::string last = maker.make(time);
  for (int i = 0; i < 10000; ++i) {
    if (i == 5000) time -= std::chrono::hours(1);
    const std::string next = maker.make(time);
    ASSERT_LT(last, next);
    last = next;
  }
}

TEST(Uuid7, DiffersBetweenThreads) {
  std::vector<std::vector<std::string>> made(8);
  {
    std::vector<std::jthread> threads;
    threads.reserve(made.size());
    for (auto& mine : made)
      threads.emplace_back([&mine] {
        for (int i = 0; i < 1000; ++i) mine.push_back(make_uuid7());
      });
  }
  std::set<std::string> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 8000U);
}

TEST(Uuid, IsToldFromOtherText) {
  EXPECT_TRUE(is_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
  EXPECT_FALSE(is_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"));
  EXPECT_FALSE(is_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398"));
  EXPECT_FALSE(is_uuid("017f22e2079b0-7cc3-98c4-dc0c0c07398f"));
  EXPECT_FALSE(is_uuid("../../../../../../../../etc/password"));
}

}  // namespace
}  // namespace xray
