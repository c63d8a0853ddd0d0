#include "serve/http/router.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <new>

#include "serve/http/guard.h"
#include "serve/http/problem.h"
#include "serve/log/log.h"

namespace xray {
namespace {

using Clock = std::chrono::steady_clock;

bool allows(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

/// `step` with its failures as answers, and its log told whose it is.
template <typename Step>
Outcome run(const Route& route, const Request& request, const Step& step) {
  const LogScope of_request({{"request_id", request.id}, {"trace_id", request.trace.trace_id}});
  Response response;
  try {
    Outcome outcome = step();
    if (std::holds_alternative<Writing>(outcome)) return outcome;
    response = std::move(std::get<Response>(outcome));
  } catch (const std::bad_alloc&) {
    spdlog::error("not enough memory for {} {}", route.method, route.pattern);
    response = busy("the server has not enough memory for this request now");
  } catch (const std::exception& error) {
    response = problem({ErrorCode::kInternal, error.what()});
  }
  response.route = route.pattern;
  return response;
}

/// Tells to come back when what waits now has been done: then there is room for sure.
Response too_many(const Route& route, const WorkQueue& queue) {
  Response response = busy("too many requests wait already; try again later", queue.expected_wait());
  response.route = route.pattern;
  return response;
}

/// Expectations fail where tasks suddenly take much longer (a database locked by another process).
/// Whoever has waited this long is told to come back rather than served.
constexpr std::chrono::seconds kStale{10};
constexpr int kIdentifiers = 2;
constexpr std::chrono::seconds kSignInWait{5};

}  // namespace

std::optional<PathParameters> match_path(std::string_view pattern, std::string_view path) {
  PathParameters found;
  for (;;) {
    const std::size_t literal = std::min(pattern.find('{'), pattern.size());
    if (!path.starts_with(pattern.substr(0, literal))) return std::nullopt;
    path.remove_prefix(literal);
    pattern.remove_prefix(literal);
    if (pattern.empty()) return path.empty() ? std::optional(found) : std::nullopt;
    pattern.remove_prefix(pattern.find('}') + 1);
    const std::string_view segment = path.substr(0, path.find('/'));
    const std::string_view after = pattern.substr(0, pattern.find('/'));
    if (segment.size() <= after.size() || !segment.ends_with(after)) return std::nullopt;
    const std::size_t size = segment.size() - after.size();
    found.add(path.substr(0, size));
    path.remove_prefix(size);
  }
}

Router::Router(std::vector<Route> routes, WorkQueue& diagnoses, const RouterOptions& options)
    : routes_(std::move(routes)),
      loopback_only_(options.loopback_only),
      gate_(options.gate),
      lookups_(options.lookup_workers, options.lookup_queue, options.lookup_wait),
      identities_(options.gate == nullptr ? 1 : kIdentifiers, options.lookup_queue, options.lookup_wait),
      sign_ins_(options.sign_in_workers, options.sign_in_queue, kSignInWait),
      // As many again may wait; then whoever computes writes himself, which holds the next ones back.
      writings_(options.writers, options.writers),
      diagnoses_(diagnoses) {}

WorkQueue* Router::queue_of(const Route& route) {
  switch (route.lane) {
    case Lane::kAtOnce:
      return nullptr;
    case Lane::kLookup:
      return &lookups_;
    case Lane::kSignIn:
      return &sign_ins_;
    case Lane::kDiagnosis:
      return &diagnoses_;
  }
  return nullptr;
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  for (const Route& route : routes_) {
    if (!allows(route, method)) continue;
    if (const auto parameters = match_path(route.pattern, path)) return {&route, *parameters};
  }
  return {};
}

bool Router::recognise(Request& head) {
  return gate_ == nullptr || gate_->recognise(head);
}

void Router::identify(Request& head, std::function<void()> done) {
  const bool taken = identities_.submit([this, &head, done] {
    try {
      gate_->identify(head);
    } catch (const std::exception& error) {
      head.unidentified = Error{ErrorCode::kInternal, error.what()};
    }
    done();
  });
  if (taken) return;
  head.unidentified = Error{ErrorCode::kBusy, "too many requests wait already; try again later"};
  done();
}

Admission Router::admit(const Request& head) {
  if (const auto refused = guard(head, loopback_only_)) {
    Response refusal = problem(refused->status, refused->error);
    refusal.refused_by = refused->by;
    return {0, std::move(refusal)};
  }
  if (const Match found = find(head.method, head.path); found.route != nullptr) {
    if (gate_ != nullptr) {
      if (auto refusal = gate_->refuse(head, found.route->permission)) {
        refusal->route = found.route->pattern;
        return {found.route->max_body, std::move(refusal)};
      }
    }
    // A body that would be refused later need not be read.
    WorkQueue* const queue = queue_of(*found.route);
    if (queue != nullptr && !queue->has_room()) {
      queue->count_refused();
      return {found.route->max_body, too_many(*found.route, *queue)};
    }
    return {found.route->max_body, std::nullopt};
  }

  std::string allow;
  for (const Route& route : routes_) {
    if (!match_path(route.pattern, head.path)) continue;
    allow +=
        (allow.empty() ? "" : ", ") + std::string(route.method) + (route.method == "GET" ? ", HEAD" : "");
  }
  if (allow.empty()) return {0, problem({ErrorCode::kNotFound, "there is nothing at this path"})};
  Response response = problem(405, {ErrorCode::kInvalidArgument, "this path answers only " + allow});
  response.headers.push_back({"Allow", allow});
  return {0, std::move(response)};
}

void Router::work(const Match& found, const Request& request, const Reply& reply) {
  const Route& route = *found.route;
  Outcome outcome = run(route, request, [&] { return route.run(request, found.parameters); });
  auto* const writing = std::get_if<Writing>(&outcome);
  if (writing == nullptr) {
    reply(std::move(std::get<Response>(outcome)));
    return;
  }
  const auto write = [&route, &request, reply, writing = std::move(*writing)] {
    Outcome written = run(route, request, [&] { return Outcome(writing()); });
    reply(std::move(std::get<Response>(written)));
  };
  if (!writings_.submit(write)) write();
}

void Router::handle(const Request& request, Reply reply) {
  const Match found = find(request.method, request.path);
  WorkQueue* const queue = queue_of(*found.route);
  if (queue == nullptr) {
    work(found, request, reply);
    return;
  }
  const bool taken = queue->submit([this, found, queue, &request, reply, begin = Clock::now()] {
    if (request.abandoned.stop_requested())
      reply(problem({ErrorCode::kCancelled, "the client is gone, or the server is stopping"}));
    else if (Clock::now() - begin > kStale)
      reply(too_many(*found.route, *queue));
    else
      work(found, request, reply);
  });
  if (!taken) reply(too_many(*found.route, *queue));
}

}  // namespace xray
