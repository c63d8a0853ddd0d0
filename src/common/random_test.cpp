#include "common/random.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <numeric>
#include <vector>

namespace xray {
namespace {

TEST(Random, IsSplitMix64) {
  // First numbers for the seed 1234567, as published with the algorithm's reference code.
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  EXPECT_EQ(random.next(), 9817491932198370423U);
}

TEST(Random, UniformStaysInRangeWithTheRightMoments) {
  Random random(1);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3.0, 0.005);
}

TEST(Random, BelowIsEven) {
  Random random(2);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts.at(random.below(7));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, NormalHasMeanZeroAndVarianceOne) {
  Random random(3);
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3.0, 0.15);
}

TEST(Random, ShufflesTheSameWayEverywhere) {
  std::vector<int> items(10);
  std::iota(items.begin(), items.end(), 0);
  Random(42).shuffle(std::span(items));
  EXPECT_EQ(items, (std::vector<int>{8, 3, 6, 5, 4, 0, 9, 2, 1, 7}));
}

TEST(Random, ReachesEveryOrderEquallyOften) {
  Random random(4);
  std::map<std::array<int, 3>, int> counts;
  for (int i = 0; i < 60000; ++i) {
    std::array<int, 3> items{0, 1, 2};
    random.shuffle(std::span<int>(items));
    ++counts[items];
  }
  EXPECT_EQ(counts.size(), 6U);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Random, ForksDifferFromEachOtherAndLeaveTheParentAlone) {
  const Random parent(5);
  Random a = parent.fork(0);
  Random b = parent.fork(1);
  Random again = parent.fork(0);
  const std::uint64_t first = a.next();
  EXPECT_EQ(first, again.next());
  EXPECT_NE(first, b.next());
  EXPECT_EQ(parent.state(), Random(5).state());
}

TEST(Random, GoesOnFromItsState) {
  Random random(6);
  random.next();
  Random resumed(random.state());
  EXPECT_EQ(random.next(), resumed.next());
}

}  // namespace
}  // namespace xray
