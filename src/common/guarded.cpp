#include "common/guarded.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <thread>

#include "common/interrupt.h"

namespace xray {
namespace {

/// Exit code of a process whose work threw; no command uses it.
constexpr int kThrew = 99;
constexpr int kOutOfMemory = 98;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(static_cast<__rlimit_resource_t>(resource), &both);
}

[[noreturn]] void be_the_child(const GuardLimits& limits, const std::function<int()>& work) {
  // Nobody is left to take the result once the parent is gone.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  if (!kSanitized) limit(RLIMIT_AS, limits.memory);
  int code = kThrew;
  try {
    code = work();
  } catch (const std::bad_alloc&) {
    code = kOutOfMemory;
  } catch (const std::exception& failure) {
    std::cerr << "xray: " << failure.what() << std::endl;
  }
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  // Threads of libraries may still run; destructors of statics would race with them.
  ::_exit(code);
}

}  // namespace

Result<int> run_guarded(const GuardLimits& limits, const std::function<int()>& work) {
  // What waits in buffers would be printed twice.
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0)
    return Error{ErrorCode::kInternal, std::string("no process can be started: ") + std::strerror(errno)};
  if (child == 0) be_the_child(limits, work);

  const std::stop_token stop = stop_on_interrupt();
  const auto end = std::chrono::steady_clock::now() + limits.time;
  const auto kill = [child](int& status) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
  };
  int status = 0;
  for (;;) {
    const pid_t waited = ::waitpid(child, &status, WNOHANG);
    if (waited == child) break;
    if (waited < 0 && errno != EINTR)
      return Error{ErrorCode::kInternal, std::string("waiting failed: ") + std::strerror(errno)};
    if (stop.stop_requested()) {
      kill(status);
      return Error{ErrorCode::kCancelled, "stopped"};
    }
    if (std::chrono::steady_clock::now() >= end) {
      kill(status);
      return Error{ErrorCode::kTimeout, "took longer than " + std::to_string(limits.time.count()) + " s"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (WIFSIGNALED(status))
    return Error{ErrorCode::kDamaged,
                 "the process that worked on it was ended by signal " + std::to_string(WTERMSIG(status))};
  if (WEXITSTATUS(status) == kOutOfMemory)
    return Error{ErrorCode::kDamaged, "needs more than " + std::to_string(limits.memory >> 20U) + " MiB"};
  if (WEXITSTATUS(status) == kThrew) return Error{ErrorCode::kInternal, "failed"};
  return WEXITSTATUS(status);
}

}  // namespace xray
