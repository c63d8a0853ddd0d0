#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "common/result.h"

namespace xray {

/// What guarded work may use.
struct GuardLimits {
  std::chrono::seconds time{300};
  std::uint64_t memory = 8ULL << 30U;  ///< of address space; not held under a sanitizer, which needs more
};

/// Runs `work` in a process of its own, so that neither a crash nor an endless loop in it reaches this
/// one, and returns the exit code it returned. What it prints goes where this process's output goes; what
/// it changes in memory is lost. kTimeout, kCancelled on SIGINT or SIGTERM, kDamaged where it was ended
/// by a signal (or ran out of memory), kInternal where it cannot be started. To be called before this
/// process starts a thread.
Result<int> run_guarded(const GuardLimits& limits, const std::function<int()>& work);

}  // namespace xray
