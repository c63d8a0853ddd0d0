#include "serve/http/router.h"

#include <algorithm>
#include <exception>

#include "serve/http/guard.h"
#include "serve/http/problem.h"

namespace xray {
namespace {

bool allows(const Route& route, std::string_view method) {
  return route.method == method || (route.method == "GET" && method == "HEAD");
}

Response run(const Route& route, const Request& request, const PathParameters& parameters) {
  Response response;
  try {
    response = route.run(request, parameters);
  } catch (const std::exception& error) {
    response = problem({ErrorCode::kInternal, error.what()});
  }
  response.route = route.pattern;
  return response;
}

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
      lookups_(options.lookup_workers, options.lookup_queue),
      diagnoses_(diagnoses) {}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  for (const Route& route : routes_) {
    if (!allows(route, method)) continue;
    if (const auto parameters = match_path(route.pattern, path)) return {&route, *parameters};
  }
  return {};
}

Admission Router::admit(const Request& head) {
  if (const auto refused = guard(head, loopback_only_)) return {0, problem(refused->status, refused->error)};
  if (const Match found = find(head.method, head.path); found.route != nullptr)
    return {found.route->max_body, std::nullopt};

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

void Router::handle(const Request& request, Reply reply) {
  const Match found = find(request.method, request.path);
  const auto work = [found, &request, reply] {
    if (request.abandoned.stop_requested())
      reply(problem({ErrorCode::kCancelled, "the server is stopping"}));
    else
      reply(run(*found.route, request, found.parameters));
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
