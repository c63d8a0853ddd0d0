#include "load/process_tree.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

namespace xray::load {
namespace {

TEST(ProcessTree, CountsMemoryAndTimeOfOneProcess) {
  const auto before = measure_tree(::getpid(), true);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->processes, 1);
  EXPECT_GT(before->rss_bytes, 1U << 20U);
  EXPECT_GT(before->pss_bytes, 0U);
  EXPECT_LE(before->pss_bytes, before->rss_bytes + (1U << 20U));

  const std::clock_t start = std::clock();
  while (std::clock() - start < CLOCKS_PER_SEC / 10) {
  }
  EXPECT_GE(measure_tree(::getpid(), false)->cpu_seconds, before->cpu_seconds + 0.05);
}

TEST(ProcessTree, CountsChildrenToo) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  EXPECT_EQ(measure_tree(::getpid(), false)->processes, 2);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(measure_tree(::getpid(), false)->processes, 1);
  EXPECT_FALSE(measure_tree(child, false));
}

}  // namespace
}  // namespace xray::load
