#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace xray::load {

/// What a process and all below it use.
struct TreeUsage {
  int processes = 0;
  double cpu_seconds = 0;       ///< user and system, those of children that have ended included
  std::uint64_t rss_bytes = 0;  ///< resident; pages that several share are counted for each
  std::uint64_t pss_bytes = 0;  ///< resident; pages that several share are divided among them
};

/// From /proc. Nothing where there is no such process. PSS is asked for only `with_pss`,
/// since the kernel walks all pages for it: 0 without, and where it may not be read.
std::optional<TreeUsage> measure_tree(pid_t root, bool with_pss);

}  // namespace xray::load
