#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "load/latencies.h"
#include "load/process_tree.h"
#include "load/requests.h"
#include "load/slow_client.h"

namespace xray::load {

/// What is sent how fast, and for how long.
struct LoadOptions {
  /// Requests per second, begun on time whatever becomes of those before (an open loop).
  /// 0: each connection sends its next request once it has its answer (a closed loop).
  double rate = 0;
  int connections = 1;                       ///< closed loop: all in use; open loop: the most in use
  std::chrono::milliseconds warm_up{2'000};  ///< answered, not counted
  std::chrono::milliseconds measured{10'000};
  std::uint64_t requests = 0;  ///< closed loop: end earlier, after so many counted answers; 0: no such bound
  std::chrono::milliseconds timeout{10'000};  ///< after which a client gives up
  int slow_clients = 0;                       ///< beside the others
  std::vector<SlowKind> slow_kinds = {SlowKind::kHead, SlowKind::kBody, SlowKind::kDeaf};
  pid_t server = 0;  ///< process whose tree is watched; 0: none
};

/// What the server's processes used while it was measured.
struct ServerUsage {
  TreeUsage first;
  TreeUsage last;
  std::uint64_t highest_rss_bytes = 0;
};

/// What came of it. A closed loop counts requests that ended in the measured time; an open
/// loop those that were due in it, however late their answers.
struct LoadReport {
  double seconds = 0;          ///< the measured time
  std::uint64_t accepted = 0;  ///< answers 2xx that came in the measured time
  std::map<int, std::uint64_t> by_status;
  std::uint64_t refused = 0;  ///< no connection
  std::uint64_t dropped = 0;  ///< connection closed before the answer
  std::uint64_t timed_out = 0;
  /// From the moment a request was to be sent (an open loop's plan, not when its turn came, so that a server
  /// that holds up the generator does not flatter itself) to the last byte of the answer, connecting
  /// included.
  LatencySummary accepted_latency;
  LatencySummary other_latency;  ///< of answers other than 2xx
  std::uint64_t bytes_sent = 0;  ///< warm-up included
  std::uint64_t bytes_received = 0;
  double generator_cpu_seconds = 0;  ///< warm-up included
  SlowReport slow;
  std::optional<ServerUsage> server;  ///< nothing where it was not watched, or has ended

  double accepted_per_second() const { return seconds > 0 ? static_cast<double>(accepted) / seconds : 0; }
};

nlohmann::ordered_json to_json(const LoadReport& report);

/// Sends `requests` (at least one) in turn to `target`, all in the calling thread. kInvalidArgument where
/// options make no sense or the host is no name; what the server does wrong is in the report.
Result<LoadReport> generate_load(const Target& target, const std::vector<std::string>& requests,
                                 const LoadOptions& options);

}  // namespace xray::load
