#include "store/together.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace xray {
namespace {

TEST(Together, DoesEachWorkOnceAndNeverTwoBatchesAtATime) {
  Together<int> together;
  std::atomic<int> running{0};
  std::atomic<int> batches{0};
  const auto run = [&](std::span<int* const> batch) {
    EXPECT_EQ(running.fetch_add(1), 0);
    EXPECT_LE(batch.size(), Together<int>::kMost);
    for (int* work : batch) ++*work;
    ++batches;
    std::this_thread::yield();
    --running;
  };
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i)
      callers.emplace_back([&] {
        for (int n = 0; n < 500; ++n) {
          int work = 0;
          together.add(work, run);
          if (work != 1) ++wrong;
        }
      });
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(batches, 8 * 500);
}

TEST(Together, GathersWhatComesWhileABatchIsUnderWay) {
  Together<int> together;
  std::atomic<bool> first{true};
  std::atomic<int> come{0};
  std::atomic<std::size_t> largest{0};
  const auto run = [&](std::span<int* const> batch) {
    largest = std::max(largest.load(), batch.size());
    if (!first.exchange(false)) return;
    while (come < 5) std::this_thread::yield();
    // The others have said that they come; a moment for them to stand in line.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };
  std::vector<std::jthread> callers;
  for (int i = 0; i < 5; ++i)
    callers.emplace_back([&] {
      int work = 0;
      ++come;
      together.add(work, run);
    });
  callers.clear();
  EXPECT_GE(largest, 2U);
}

TEST(Together, TellsAllOfABatchWhatWasThrown) {
  Together<int> together;
  int work = 0;
  EXPECT_THROW(together.add(work, [](std::span<int* const>) { throw std::runtime_error("no"); }),
               std::runtime_error);
  together.add(work, [](std::span<int* const> batch) { *batch.front() = 7; });
  EXPECT_EQ(work, 7);
}

}  // namespace
}  // namespace xray
