#include "common/guarded.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

namespace xray {
namespace {

TEST(RunGuarded, GivesTheExitCode) {
  EXPECT_EQ(run_guarded({}, [] { return 7; }).value(), 7);
}

TEST(RunGuarded, SurvivesACrash) {
  const auto run = run_guarded({}, []() -> int {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
    return 0;
  });
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code, ErrorCode::kDamaged);
}

TEST(RunGuarded, EndsWhatTakesTooLong) {
  const auto run = run_guarded({.time = std::chrono::seconds(1)}, [] {
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
    return 0;
  });
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code, ErrorCode::kTimeout);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(RunGuarded, EndsWhatTakesTooMuchMemory) {
  const auto run = run_guarded({.memory = 1ULL << 30U}, [] {
    const std::vector<char> much(2ULL << 30U, 'x');
    return much.back() == 'x' ? 0 : 1;
  });
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code, ErrorCode::kDamaged);
}
#endif

TEST(RunGuarded, TellsAThrow) {
  const auto run = run_guarded({}, []() -> int { throw std::runtime_error("thrown on purpose"); });
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code, ErrorCode::kInternal);
}

}  // namespace
}  // namespace xray
