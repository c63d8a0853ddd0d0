#include "serve/http/lock.h"

#include <algorithm>

#include "auth/secret.h"
#include "serve/http/problem.h"
#include "serve/log/log.h"

namespace xray {
namespace {

constexpr std::string_view kCookie = "xray_session";
constexpr std::string_view kSecureCookie = "__Host-xray_session";
constexpr std::string_view kBearer = "Bearer ";
constexpr std::size_t kMaxKey = 256;
constexpr std::size_t kMaxKnown = 20'000;
/// Lines of the log about calls of one client that are refused otherwise than by its role.
constexpr int kTellsPerMinute = 60;
// Which check refuses, as it is written down.
constexpr const char* kNoTls = "tls";
constexpr const char* kNoKey = "no_key";
constexpr const char* kWrongKey = "wrong_key";
constexpr const char* kCsrf = "csrf";
constexpr const char* kQuota = "quota";
constexpr const char* kRole = "role";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

std::string_view bearer(std::string_view authorization) {
  if (authorization.size() > kMaxKey || !same_name(authorization.substr(0, kBearer.size()), kBearer))
    return {};
  return trimmed(authorization.substr(kBearer.size()));
}

Response refusal(std::string_view by, const Error& error) {
  Response response = problem(error);
  response.refused_by = by;
  return response;
}

Response unauthenticated(std::string_view by, const std::string& why) {
  Response response = refusal(by, {ErrorCode::kUnauthenticated, why});
  response.headers.push_back({"WWW-Authenticate", "Bearer realm=\"xray\""});
  return response;
}

/// A browser that came in the clear to a page, where a proxy has TLS.
bool is_to_be_sent_on(const Request& head, Permission permission) {
  const std::string* accept = head.header("Accept");
  return permission == Permission::kOpen && head.origin.plain && !head.changes_something() &&
         accept != nullptr && accept->find("text/html") != std::string::npos;
}

Response send_on(const Request& head) {
  const std::string* host = head.header("Host");
  return {308, {{"Location", "https://" + (host == nullptr ? "" : *host) + head.path}}, std::string()};
}

}  // namespace

std::optional<std::string_view> cookie_value(const Request& request, std::string_view name) {
  std::optional<std::string_view> found;
  for (const Header& header : request.headers) {
    if (!same_name(header.name, "Cookie")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::string_view pair = trimmed(rest.substr(0, rest.find(';')));
      rest.remove_prefix(std::min(rest.find(';'), rest.size() - 1) + 1);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
      if (found) return std::nullopt;
      found = pair.substr(equals + 1);
    }
  }
  return found;
}

Lock::Lock(Accounts& accounts, AuditTrail& trail, const LockOptions& options)
    : accounts_(accounts),
      trail_(trail),
      options_(options),
      requests_(options.requests_per_minute),
      refusals_(options.refusals_per_minute),
      tells_(kTellsPerMinute) {}

std::string_view Lock::cookie_name(const Request& request) {
  return request.origin.secure ? kSecureCookie : kCookie;
}

std::optional<Lock::Key> Lock::key_of(const Request& request) {
  if (const std::size_t count = request.count("Authorization"); count != 0) {
    const std::string_view token = count == 1 ? bearer(*request.header("Authorization")) : std::string_view();
    return Key{std::string(token), true};
  }
  const auto session = cookie_value(request, cookie_name(request));
  if (!session || session->empty() || session->size() > kMaxKey) return std::nullopt;
  return Key{std::string(*session), false};
}

std::shared_ptr<const Caller> Lock::remembered(const std::string& hash) {
  const std::scoped_lock lock(mutex_);
  const auto found = known_.find(hash);
  if (found == known_.end()) return nullptr;
  if (found->second.until > Clock::now()) return found->second.caller;
  known_.erase(found);
  return nullptr;
}

Result<std::shared_ptr<const Caller>> Lock::look_up(const Key& key) {
  const std::string hash = hash_secret(key.secret);
  if (auto known = remembered(hash)) return known;
  std::uint64_t before = 0;
  {
    const std::scoped_lock lock(mutex_);
    before = changes_;
  }
  Result<std::optional<Caller>> found =
      key.is_token ? accounts_.of_token(key.secret) : accounts_.of_session(key.secret);
  if (!found) return found.error();
  if (!*found) return nobody_;
  auto caller = std::make_shared<const Caller>(std::move(**found));
  const std::scoped_lock lock(mutex_);
  // What was read before a change may hold no longer.
  if (before != changes_) return caller;
  const auto now = Clock::now();
  if (known_.size() >= kMaxKnown)
    std::erase_if(known_, [now](const auto& entry) { return entry.second.until <= now; });
  if (known_.size() < kMaxKnown) known_.insert_or_assign(hash, Known{caller, now + kBelieve});
  return std::shared_ptr<const Caller>(caller);
}

void Lock::forget() {
  const std::scoped_lock lock(mutex_);
  ++changes_;
  known_.clear();
}

bool Lock::recognise(Request& head) {
  const auto key = key_of(head);
  head.caller = nobody_;
  // What came in the clear where it must not is not even looked at.
  if (!key || key->secret.empty() || !is_private(head)) return true;
  auto known = remembered(hash_secret(key->secret));
  if (!known) return false;
  head.caller = std::move(known);
  return true;
}

void Lock::identify(Request& head) {
  auto found = look_up(*key_of(head));
  if (found)
    head.caller = std::move(*found);
  else
    head.unidentified = found.error();
}

std::optional<Response> Lock::refuse(const Request& head, Permission permission) {
  if (is_to_be_sent_on(head, permission)) return send_on(head);
  if (permission == Permission::kOpen) return std::nullopt;
  if (!is_private(head))
    return refusal(kNoTls,
                   {ErrorCode::kForbidden,
                    "this server is to be asked through HTTPS: what is sent otherwise is read by others"});
  if (head.unidentified) return problem(*head.unidentified);
  const Caller& caller = *head.caller;
  if (!caller.is_known()) {
    const auto wait = refusals_.take(client_key(head.origin.address));
    if (wait.count() > 0) return over_quota("too many requests without a key that fits", wait);
    return unauthenticated(key_of(head) ? kWrongKey : kNoKey, "this takes signing in, or a token");
  }
  if (const auto wait = requests_.take(caller.user_id); wait.count() > 0)
    return over_quota("you have asked too much within a minute", wait);
  if (caller.kind == Caller::Kind::kSession && head.changes_something()) {
    const std::string* proof = head.header(kCsrfField);
    if (proof == nullptr || !same_secret(*proof, caller.csrf)) {
      trail_.record("refused", head, kCsrf);
      return refusal(kCsrf, {ErrorCode::kForbidden, "the request does not come from this server's page"});
    }
  }
  if (!may(caller, permission)) {
    trail_.record("refused", head, kRole);
    return refusal(kRole, {ErrorCode::kForbidden, "your role, or your token, does not allow this"});
  }
  return std::nullopt;
}

void Lock::tell(const char* by, const std::string& client, const std::string& account) {
  if (tells_.take(account.empty() ? client_key(client) : account).count() > 0) return;
  log_event(spdlog::level::info, "refused",
            {{"refused_by", by}, {"account", account}, {"client", client}, {"door", "grpc"}});
}

Result<Done> Lock::admit(std::string_view authorization, Permission permission, const std::string& address) {
  const std::string_view token = bearer(authorization);
  auto caller = nobody_;
  if (!token.empty()) {
    auto found = look_up({std::string(token), true});
    if (!found) return found.error();
    caller = *found;
  }
  if (!caller->is_known()) {
    if (refusals_.take(client_key(address)).count() > 0) {
      tell(kQuota, address, {});
      return Error{ErrorCode::kOverQuota, "too many requests without a key that fits"};
    }
    tell(authorization.empty() ? kNoKey : kWrongKey, address, {});
    return Error{ErrorCode::kUnauthenticated, "this takes a token: authorization: Bearer xray_..."};
  }
  if (requests_.take(caller->user_id).count() > 0) {
    tell(kQuota, address, caller->user_name);
    return Error{ErrorCode::kOverQuota, "you have asked too much within a minute"};
  }
  if (!may(*caller, permission)) {
    trail_.record({.event = "refused", .account = caller->user_name, .address = address, .object = kRole});
    return Error{ErrorCode::kForbidden, "your role, or your token, does not allow this"};
  }
  return Done{};
}

Result<Done> Lock::may_make(const Request& request) {
  if (options_.uploads_per_day <= 0 && options_.kept_bytes <= 0) return Done{};
  const auto held = accounts_.belongings(request.caller->user_id);
  if (!held) return held.error();
  if (options_.uploads_per_day > 0 && held->today >= options_.uploads_per_day)
    return Error{ErrorCode::kOverQuota, "you have had " + std::to_string(held->today) +
                                            " pictures read within 24 hours, which is the limit"};
  if (options_.kept_bytes > 0 &&
      held->bytes + static_cast<std::int64_t>(request.body.size()) > options_.kept_bytes)
    return Error{ErrorCode::kOverQuota, "your pictures take all the room you have; delete findings first"};
  return Done{};
}

Result<Done> Lock::may_remove(const Request& request, const std::string& id) {
  if (may(*request.caller, Permission::kAdmin)) return Done{};
  const auto owner = accounts_.owner_of(id);
  if (!owner) return owner.error();
  if (*owner == request.caller->user_id) return Done{};
  trail_.record("refused", request, id);
  return Error{ErrorCode::kForbidden, "only who made a finding, or an admin, deletes it"};
}

Result<Done> Lock::made(const Request& request, const std::string& id, std::size_t bytes) {
  trail_.record("finding_made", request, id);
  return accounts_.add_belonging(id, request.caller->user_id, static_cast<std::int64_t>(bytes));
}

void Lock::viewed(const Request& request, const std::string& id) {
  trail_.record("finding_viewed", request, id);
}

void Lock::removed(const Request& request, const std::string& id) {
  trail_.record("finding_deleted", request, id);
  std::ignore = accounts_.remove_belonging(id);
}

}  // namespace xray
