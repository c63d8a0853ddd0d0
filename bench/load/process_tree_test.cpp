#include "load/process_tree.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

namespace xray::load {
namespace {

/// No processes where there is no such tree.
TreeUsage usage_of(pid_t root, bool with_pss = false) {
  return measure_tree(root, with_pss).value_or(TreeUsage{});
}

TEST(ProcessTree, CountsMemoryAndTimeOfOneProcess) {
  const TreeUsage before = usage_of(::getpid(), true);
  EXPECT_EQ(before.processes, 1);
  EXPECT_GT(before.rss_bytes, 1U << 20U);
  EXPECT_GT(before.pss_bytes, 0U);
  EXPECT_LE(before.pss_bytes, before.rss_bytes + (1U << 20U));

  const std::clock_t start = std::clock();
  while (std::clock() - start < CLOCKS_PER_SEC / 10) {
  }
  EXPECT_GE(usage_of(::getpid()).cpu_seconds, before.cpu_seconds + 0.05);
}

TEST(ProcessTree, CountsChildrenToo) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ASSERT_GT(child, 0);
  EXPECT_EQ(usage_of(::getpid()).processes, 2);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(usage_of(::getpid()).processes, 1);
  EXPECT_FALSE(measure_tree(child, false));
}

}  // namespace
}  // namespace xray::load
