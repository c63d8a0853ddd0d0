#include "serve/http/router.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <new>

#include "serve/http/guard.h"
#include "serve/http/problem.h"

namespace xray {
namespace {

using Clock = std::chrono::steady_clock;

/// What stands for {...} in `path`; nothing where the path is another one.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos)
    return pattern == path ? std::optional<std::string_view>("") : std::nullopt;
  const std::string_view after = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= open + after.size() || !path.starts_with(pattern.substr(0, open)) ||
      !path.ends_with(after))
    return std::nullopt;
  const std::string_view value = path.substr(open, path.size() - open - after.size());
  return value.find('/') == std::string_view::npos ? std::optional(value) : std::nullopt;
}

bool allows(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

Response run(const Route& route, const Request& request, std::string_view parameter) {
  Response response;
  try {
    response = route.run(request, parameter);
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

}  // namespace

Router::Router(std::vector<Route> routes, WorkQueue& diagnoses, const RouterOptions& options)
    : routes_(std::move(routes)),
      loopback_only_(options.loopback_only),
      lookups_(options.lookup_workers, options.lookup_queue, options.lookup_wait),
      diagnoses_(diagnoses) {}

WorkQueue* Router::queue_of(const Route& route) {
  switch (route.lane) {
    case Lane::kAtOnce:
      return nullptr;
    case Lane::kLookup:
      return &lookups_;
    case Lane::kDiagnosis:
      return &diagnoses_;
  }
  return nullptr;
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  for (const Route& route : routes_) {
    if (!allows(route, method)) continue;
    if (const auto parameter = match(route.pattern, path)) return {&route, *parameter};
  }
  return {};
}

Admission Router::admit(const Request& head) {
  if (const auto refused = guard(head, loopback_only_)) return {0, problem(refused->status, refused->error)};
  if (const Match found = find(head.method, head.path); found.route != nullptr) {
    // A body that would be refused later need not be read.
    const WorkQueue* const queue = queue_of(*found.route);
    if (queue != nullptr && !queue->has_room())
      return {found.route->max_body, too_many(*found.route, *queue)};
    return {found.route->max_body, std::nullopt};
  }

  std::string allow;
  for (const Route& route : routes_) {
    if (!match(route.pattern, head.path)) continue;
    allow +=
        (allow.empty() ? "" : ", ") + std::string(route.method) + (route.method == "GET" ? ", HEAD" : "");
  }
  if (allow.empty()) return {0, problem({ErrorCode::kNotFound, "there is nothing at this path"})};
  Response response = problem(405, {ErrorCode::kInvalidArgument, "this path answers only " + allow});
  response.headers.push_back({"Allow", allow});
  return {0, std::move(response)};
}

void Router::handle(const Request& request, Reply reply) {
  const Match found = find(request.method, request.path);
  WorkQueue* const queue = queue_of(*found.route);
  if (queue == nullptr) {
    reply(run(*found.route, request, found.parameter));
    return;
  }
  const bool taken = queue->submit([found, queue, &request, reply, begin = Clock::now()] {
    if (request.abandoned.stop_requested())
      reply(problem({ErrorCode::kCancelled, "the client is gone, or the server is stopping"}));
    else if (Clock::now() - begin > kStale)
      reply(too_many(*found.route, *queue));
    else
      reply(run(*found.route, request, found.parameter));
  });
  if (!taken) reply(too_many(*found.route, *queue));
}

}  // namespace xray
