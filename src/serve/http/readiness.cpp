#include "serve/http/readiness.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "serve/http/problem.h"

namespace xray {

void Readiness::pass(std::string how) {
  const std::scoped_lock lock(mutex_);
  tested_ = std::move(how);
}

void Readiness::fail(Error why) {
  const std::scoped_lock lock(mutex_);
  tested_ = std::move(why);
}

void Readiness::stop() {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
}

Result<std::string> Readiness::state() const {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return Error{ErrorCode::kCancelled, "the server is stopping"};
  return tested_;
}

std::vector<Route> health_routes(const Readiness& readiness, Store& store) {
  const auto alive = [](const Request&, std::string_view) {
    return json_response(200, {{"status", "alive"}});
  };
  const auto ready = [&readiness, &store](const Request&, std::string_view) {
    const Result<std::string> state = readiness.state();
    if (!state) return problem(503, state.error());
    const Result<Done> pong = store.ping();
    if (pong) return json_response(200, {{"status", "ready"}, {"selftest", *state}});
    if (pong.error().code == ErrorCode::kBusy) return problem(pong.error());
    // Everybody may ask: what a database says of itself is for the log.
    spdlog::error("not ready: {}", pong.error().message);
    return problem(503, {pong.error().code, "the database does not work; the log tells more"});
  };
  return {{"GET", "/healthz", Permission::kOpen, Lane::kAtOnce, 0, alive},
          {"GET", "/readyz", Permission::kOpen, Lane::kLookup, 0, ready}};
}

}  // namespace xray
