#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "common/result.h"
#include "serve/http/router.h"
#include "store/store.h"

namespace xray {

/// Whether this server is to be sent requests: not before its self-test has passed, and not once it
/// was told to stop. Thread-safe.
class Readiness {
 public:
  /// The self-test has passed; `how` tells people what was tested.
  void pass(std::string how);
  /// It has not, and will not.
  void fail(Error why);
  /// For good.
  void stop();

  /// What was tested; or why the server is not ready: kBusy while the self-test runs, its error,
  /// kCancelled once stopped.
  Result<std::string> state() const;

 private:
  mutable std::mutex mutex_;
  Result<std::string> tested_ = Error{ErrorCode::kBusy, "the self-test has not ended yet"};
  bool stopped_ = false;
};

/// GET /healthz: the process answers. GET /readyz: it is ready and the store answers, else 503 with
/// the reason. Both arguments outlive the routes.
std::vector<Route> health_routes(const Readiness& readiness, Store& store);

}  // namespace xray
