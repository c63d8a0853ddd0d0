#include "common/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace xray {
namespace {

using std::chrono::milliseconds;

TEST(WorkQueue, RefusesWhatIsBeyondItsBound) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> ran{0};
  {
    WorkQueue queue(2, 3);
    const auto task = [&] {
      released.wait();
      ++ran;
    };
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(queue.submit(task));
    EXPECT_FALSE(queue.submit(task));
    EXPECT_FALSE(queue.submit(task));
    release.set_value();
  }
  EXPECT_EQ(ran, 5);
}

TEST(WorkQueue, TakesMoreOnceThereIsRoom) {
  WorkQueue queue(1, 1);
  for (int i = 0; i < 50; ++i) {
    std::promise<void> done;
    ASSERT_TRUE(queue.submit([&] { done.set_value(); })) << i;
    done.get_future().wait();
  }
}

/// Lets the queue learn that tasks take 50 ms.
void teach(WorkQueue& queue) {
  std::promise<void> done;
  ASSERT_TRUE(queue.submit([&] {
    std::this_thread::sleep_for(milliseconds(50));
    done.set_value();
  }));
  done.get_future().wait();
  // It is counted a moment after it has ended.
  std::this_thread::sleep_for(milliseconds(50));
}

TEST(WorkQueue, TellsHowLongATaskWouldWait) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  WorkQueue queue(2, 100);
  EXPECT_EQ(queue.expected_wait(), milliseconds(0)) << "nothing is known";
  teach(queue);
  const auto task = [&] { released.wait(); };
  ASSERT_TRUE(queue.submit(task));
  EXPECT_EQ(queue.expected_wait(), milliseconds(0)) << "a worker is free";
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(queue.submit(task));
  // Three wait already: the fourth worker to come free begins the next one.
  EXPECT_GE(queue.expected_wait(), milliseconds(100));
  EXPECT_LT(queue.expected_wait(), milliseconds(1000));
  release.set_value();
}

TEST(WorkQueue, RefusesWhatWouldWaitTooLongButKeepsItsWorkersBusy) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  WorkQueue queue(2, 100, milliseconds(60));
  teach(queue);
  const auto task = [&] { released.wait(); };
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(queue.submit(task)) << "two run, and two a worker may wait: " << i;
  EXPECT_FALSE(queue.has_room());
  EXPECT_FALSE(queue.submit(task));
  release.set_value();
}

TEST(WorkQueue, TellsHowMuchGoesOn) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> waits{0};
  std::atomic<int> started{0};
  WorkQueue queue(2, 3);
  queue.observe_waits([&](std::chrono::duration<double> wait) { waits += wait.count() >= 0 ? 1 : 0; });
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(queue.submit([&] {
      ++started;
      released.wait();
    }),
              i < 5);
  while (started < 2) std::this_thread::yield();
  const QueueLoad load = queue.load();
  EXPECT_EQ(load.workers, 2);
  EXPECT_EQ(load.limit, 3);
  EXPECT_EQ(load.running, 2);
  EXPECT_EQ(load.waiting, 3);
  EXPECT_EQ(load.refused, 1U);
  release.set_value();
  while (queue.load().running + queue.load().waiting > 0) std::this_thread::yield();
  EXPECT_EQ(waits, 5);
}

}  // namespace
}  // namespace xray
