#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/caller.h"
#include "common/work_queue.h"
#include "serve/http/gate.h"
#include "serve/http/handler.h"

namespace xray {

/// Where a route's work is done, so that none waits for slower ones than itself.
enum class Lane {
  kAtOnce,     ///< on the server's thread: microseconds, no blocking
  kLookup,     ///< reading the store, drawing pictures
  kSignIn,     ///< hashing a password, asking an identity provider: slow on purpose, or far away
  kDiagnosis,  ///< running the network, in the queue that all doors share
};

/// What remains to be done for an answer once its lane has done the computing: waiting for a disk,
/// which must not keep the next picture from a core.
using Writing = std::function<Response()>;
using Outcome = std::variant<Response, Writing>;

/// What stands in a path for the {...} of its pattern, as it was sent, never empty.
class PathParameters {
 public:
  static constexpr std::size_t kMost = 2;

  /// In the pattern's order; empty where it has fewer.
  std::string_view operator[](std::size_t index) const { return values_.at(index); }
  /// The first: most patterns have no other.
  operator std::string_view() const { return values_[0]; }

  void add(std::string_view value) { values_.at(count_++) = value; }

 private:
  std::array<std::string_view, kMost> values_;
  std::size_t count_ = 0;
};

/// What `path` has for the parameters of `pattern`: "/models/{name}:predict" is for
/// "/models/xray:predict" with "xray". No parameter reaches over a "/". Nothing where the
/// path is another one.
std::optional<PathParameters> match_path(std::string_view pattern, std::string_view path);

/// One method on one path.
struct Route {
  std::string_view method;   ///< "GET" answers HEAD too
  std::string_view pattern;  ///< "/api/v1/findings/{id}/image": at most PathParameters::kMost
  Permission permission;     ///< what it takes to come in, checked by the router before anything else
  Lane lane = Lane::kAtOnce;
  std::uint64_t max_body = 0;
  /// May throw: 500. Takes a std::string_view instead where one parameter is enough.
  std::function<Outcome(const Request&, const PathParameters&)> run;
};

/// How much may go on at one time.
struct RouterOptions {
  bool loopback_only = true;  ///< see guard()
  int lookup_workers = 2;
  int lookup_queue = 256;
  std::chrono::milliseconds lookup_wait{2'000};  ///< see WorkQueue's max_wait
  Gate* gate = nullptr;     ///< outlives the router; none: whoever comes may do everything
  int sign_in_workers = 2;  ///< each takes the memory of a password's hash
  int sign_in_queue = 32;
  int writers = 8;  ///< what they write together reaches the disk at one time
};

/// Sends each request to its route, if its caller may go there (Gate): 404 and 405 (with Allow) where there
/// is none, 503 where the lane is full, at once and with the time after which it should not be. Nobody works
/// for clients that are gone.
class Router : public Handler {
 public:
  /// `diagnoses` is where Lane::kDiagnosis is worked off, shared with other doors; it ends,
  /// or has replied to every request, before the router does.
  Router(std::vector<Route> routes, WorkQueue& diagnoses, const RouterOptions& options);

  std::span<const Route> routes() const { return routes_; }
  /// The queue of Lane::kLookup.
  const WorkQueue& lookups() const { return lookups_; }
  /// The queue of Writing.
  const WorkQueue& writings() const { return writings_; }

  bool recognise(Request& head) override;
  void identify(Request& head, std::function<void()> done) override;
  Admission admit(const Request& head) override;
  void handle(const Request& request, Reply reply) override;

 private:
  struct Match {
    const Route* route = nullptr;
    PathParameters parameters;
  };
  Match find(std::string_view method, std::string_view path) const;
  /// Null for what is done at once.
  WorkQueue* queue_of(const Route& route);

  std::vector<Route> routes_;
  bool loopback_only_;
  Gate* gate_;
  /// Runs the route and replies, at once or when what is to be written has been.
  void work(const Match& found, const Request& request, const Reply& reply);

  WorkQueue lookups_;
  WorkQueue identities_;
  WorkQueue sign_ins_;
  WorkQueue writings_;
  WorkQueue& diagnoses_;
};

}  // namespace xray
