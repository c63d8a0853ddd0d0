#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "common/work_queue.h"
#include "serve/http/handler.h"

namespace xray {

/// Where a route's work is done, so that none waits for slower ones than itself.
enum class Lane {
  kAtOnce,     ///< on the server's thread: microseconds, no blocking
  kLookup,     ///< reading the store, drawing pictures
  kDiagnosis,  ///< running the network, in the queue that all doors share
};

/// One method on one path.
struct Route {
  std::string_view method;   ///< "GET" answers HEAD too
  std::string_view pattern;  ///< "/api/v1/findings/{id}/image": at most one parameter
  Lane lane = Lane::kAtOnce;
  std::uint64_t max_body = 0;
  /// `parameter`: what stands in the path for {...}; empty without one. May throw: 500.
  std::function<Response(const Request&, std::string_view parameter)> run;
};

/// How much may go on at one time.
struct RouterOptions {
  bool loopback_only = true;  ///< see guard()
  int lookup_workers = 2;
  int lookup_queue = 256;
  std::chrono::milliseconds lookup_wait{2'000};  ///< see WorkQueue's max_wait
};

/// Sends each request to its route: 404 and 405 (with Allow) where there is none,
/// 503 where the lane is full, at once and with the time after which it should not be. Nobody
/// works for clients that are gone.
class Router : public Handler {
 public:
  /// `diagnoses` is where Lane::kDiagnosis is worked off, shared with other doors; it ends,
  /// or has replied to every request, before the router does.
  Router(std::vector<Route> routes, WorkQueue& diagnoses, const RouterOptions& options);

  std::span<const Route> routes() const { return routes_; }

  Admission admit(const Request& head) override;
  void handle(const Request& request, Reply reply) override;

 private:
  struct Match {
    const Route* route = nullptr;
    std::string_view parameter;
  };
  Match find(std::string_view method, std::string_view path) const;
  /// Null for what is done at once.
  WorkQueue* queue_of(const Route& route);

  std::vector<Route> routes_;
  bool loopback_only_;
  WorkQueue lookups_;
  WorkQueue& diagnoses_;
};

}  // namespace xray
