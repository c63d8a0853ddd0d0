#include "common/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace xray {
namespace {

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

}  // namespace
}  // namespace xray
