#include "serve/http/router.h"

#include <algorithm>
#include <exception>

#include "serve/http/guard.h"
#include "serve/http/problem.h"

namespace xray {
namespace {

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
  } catch (const std::exception& error) {
    response = problem({ErrorCode::kInternal, error.what()});
  }
  response.route = route.pattern;
  return response;
}

}  // namespace

Router::Router(std::vector<Route> routes, WorkQueue& diagnoses, const RouterOptions& options)
    : routes_(std::move(routes)),
      loopback_only_(options.loopback_only),
      lookups_(options.lookup_workers, options.lookup_queue),
      diagnoses_(diagnoses) {}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  for (const Route& route : routes_) {
    if (!allows(route, method)) continue;
    if (const auto parameter = match(route.pattern, path)) return {&route, *parameter};
  }
  return {};
}

Admission Router::admit(const Request& head) {
  if (const auto refused = guard(head, loopback_only_)) return {0, problem(refused->status, refused->error)};
  if (const Match found = find(head.method, head.path); found.route != nullptr)
    return {found.route->max_body, std::nullopt};

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
  const auto work = [found, &request, reply] {
    if (request.abandoned.stop_requested())
      reply(problem({ErrorCode::kCancelled, "the server is stopping"}));
    else
      reply(run(*found.route, request, found.parameter));
  };
  bool taken = true;
  switch (found.route->lane) {
    case Lane::kAtOnce:
      work();
      break;
    case Lane::kLookup:
      taken = lookups_.submit(work);
      break;
    case Lane::kDiagnosis:
      taken = diagnoses_.submit(work);
      break;
  }
  if (taken) return;
  Response busy = problem({ErrorCode::kBusy, "too many requests wait already; try again in a second"});
  busy.route = found.route->pattern;
  reply(std::move(busy));
}

}  // namespace xray
