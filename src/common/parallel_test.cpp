#include "common/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace xray {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(ParallelOrdered, ConsumesEveryResultInOrder) {
  std::vector<std::size_t> indices;
  std::vector<std::size_t> results;
  const bool complete = parallel_ordered(
      500, 8, 16,
      [](std::size_t i) {
        // Late ones overtake early ones.
        std::this_thread::sleep_for(microseconds((i * 7919) % 200));
        return i * i;
      },
      [&](std::size_t i, std::size_t result) {
        indices.push_back(i);
        results.push_back(result);
      });
  EXPECT_TRUE(complete);
  ASSERT_EQ(indices.size(), 500U);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    EXPECT_EQ(indices[i], i);
    EXPECT_EQ(results[i], i * i);
  }
}

TEST(ParallelOrdered, KeepsTheWindow) {
  constexpr std::size_t kWindow = 5;
  std::atomic<std::size_t> begun{0};
  std::size_t consumed = 0;
  std::size_t most = 0;
  parallel_ordered(
      200, 8, kWindow,
      [&](std::size_t i) {
        ++begun;
        return i;
      },
      [&](std::size_t, std::size_t) {
        most = std::max(most, begun.load() - consumed);
        std::this_thread::sleep_for(microseconds(50));
        ++consumed;
      });
  EXPECT_GT(most, 1U);
  EXPECT_LE(most, kWindow);
}

TEST(ParallelOrdered, RunsOnSeveralThreadsAndConsumesOnTheCaller) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  bool elsewhere = false;
  parallel_ordered(
      8, 4, 8,
      [&](std::size_t) {
        const int now = ++running;
        int seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::sleep_for(milliseconds(30));
        --running;
        return std::this_thread::get_id();
      },
      [&, caller = std::this_thread::get_id()](std::size_t, std::thread::id worker) {
        elsewhere |= std::this_thread::get_id() != caller || worker == caller;
      });
  EXPECT_GE(most.load(), 2);
  EXPECT_LE(most.load(), 4);
  EXPECT_FALSE(elsewhere);
}

TEST(ParallelOrdered, HandsOverResultsThatOnlyMove) {
  std::size_t sum = 0;
  parallel_ordered(
      10, 2, 4, [](std::size_t i) { return std::make_unique<std::size_t>(i); },
      [&](std::size_t, std::unique_ptr<std::size_t> result) { sum += *result; });
  EXPECT_EQ(sum, 45U);
}

TEST(ParallelOrdered, ThrowsTheProducersExceptionAfterTheResultsBeforeIt) {
  std::size_t consumed = 0;
  const auto run = [&] {
    parallel_ordered(
        100, 4, 8,
        [](std::size_t i) {
          if (i == 37) throw std::runtime_error("thirty-seven");
          return i;
        },
        [&](std::size_t, std::size_t) { ++consumed; });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_EQ(consumed, 37U);
}

TEST(ParallelOrdered, ThrowsTheConsumersExceptionAtOnce) {
  std::size_t consumed = 0;
  const auto run = [&] {
    parallel_ordered(
        1000, 4, 8, [](std::size_t i) { return i; },
        [&](std::size_t i, std::size_t) {
          if (i == 5) throw std::runtime_error("five");
          ++consumed;
        });
  };
  EXPECT_THROW(run(), std::runtime_error);
  EXPECT_EQ(consumed, 5U);
}

TEST(ParallelOrdered, StopsWhenAsked) {
  std::stop_source source;
  std::atomic<std::size_t> produced{0};
  std::size_t consumed = 0;
  const bool complete = parallel_ordered(
      100000, 4, 8, [&](std::size_t i) { return ++produced, i; },
      [&](std::size_t i, std::size_t) {
        ++consumed;
        if (i == 20) source.request_stop();
      },
      source.get_token());
  EXPECT_FALSE(complete);
  EXPECT_EQ(consumed, 21U);
  EXPECT_LE(produced.load(), 21U + 8U);
}

TEST(ParallelOrdered, StopsWhileItWaitsForAResult) {
  std::stop_source source;
  std::jthread asker([&] {
    std::this_thread::sleep_for(milliseconds(20));
    source.request_stop();
  });
  const bool complete = parallel_ordered(
      2, 2, 2,
      [&](std::size_t i) {
        while (!source.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
        return i;
      },
      [](std::size_t, std::size_t) { FAIL() << "nothing can be ready before the stop"; }, source.get_token());
  EXPECT_FALSE(complete);
}

TEST(ParallelOrdered, DoesNothingForNothing) {
  const bool complete =
      parallel_ordered(0, 0, 0, [](std::size_t i) { return i; }, [](std::size_t, std::size_t) { FAIL(); });
  EXPECT_TRUE(complete);
}

TEST(ThreadCount, TakesTheNumberGivenOrAllCores) {
  EXPECT_EQ(thread_count(3), 3U);
  EXPECT_EQ(thread_count(0), std::max(1U, std::thread::hardware_concurrency()));
  EXPECT_GE(thread_count(-1), 1U);
}

}  // namespace
}  // namespace xray
