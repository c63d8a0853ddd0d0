#include "serve/http/account_api.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "auth/secret.h"
#include "common/clock.h"
#include "common/text.h"
#include "serve/http/problem.h"
#include "store/uuid.h"

namespace xray {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using std::chrono::seconds;

constexpr std::uint64_t kSmallBody = 4U << 10U;
constexpr std::string_view kFlowCookie = "__Host-xray_sign_in";
constexpr std::string_view kPlainFlowCookie = "xray_sign_in";
constexpr seconds kFlowTime{600};
constexpr int kAuditPage = 100;
/// How somebody signed in, for the audit trail.
constexpr const char* kByPassword = "password";
constexpr const char* kByProvider = "oidc";
constexpr Attempts::Limits kOfPair{.free = 5, .first = seconds(1), .longest = seconds(300), .keys = 20'000};
constexpr Attempts::Limits kOfAccount{
    .free = 20, .first = seconds(1), .longest = seconds(60), .keys = 20'000};
constexpr Attempts::Limits kOfClient{.free = 50, .first = seconds(1), .longest = seconds(60), .keys = 20'000};

Error malformed(const std::string& why) {
  return {ErrorCode::kInvalidArgument, why};
}

/// The body as an object with no other fields than these. Only browsers' forms come without a type of JSON.
Result<json> read_object(const Request& request, std::initializer_list<std::string_view> fields) {
  const std::string* type = request.header("Content-Type");
  if (type == nullptr || !same_name(std::string_view(*type).substr(0, type->find(';')), "application/json"))
    return Error{ErrorCode::kUnsupported, "the body is to be application/json"};
  const std::string_view text(reinterpret_cast<const char*>(request.body.data()), request.body.size());
  json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return malformed("the body is to be an object of JSON");
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(fields, key) == fields.end())
      return malformed("the body has a field that is not known");
  return object;
}

Result<std::string> text_of(const json& object, const char* field, const char* fallback = nullptr) {
  const auto found = object.find(field);
  if (found == object.end() && fallback != nullptr) return std::string(fallback);
  if (found == object.end() || !found->is_string()) return malformed(std::string(field) + " is to be text");
  return found->get<std::string>();
}

std::string time_of(std::int64_t at) {
  return rfc3339(std::chrono::system_clock::time_point(seconds(at)));
}

ordered_json to_json(const Account& account) {
  return {{"id", account.id},
          {"name", account.name},
          {"role", name(account.role)},
          {"disabled", account.disabled},
          {"password", account.has_password},
          {"created_at", time_of(account.created_at)}};
}

ordered_json to_json(const Token& token) {
  return {{"id", token.id},
          {"user", token.account},
          {"name", token.name},
          {"scopes", token.scopes.text()},
          {"created_at", time_of(token.created_at)},
          {"expires_at", time_of(token.expires_at)}};
}

Response no_content() {
  return {204, {{"Cache-Control", "no-store"}}, std::string()};
}

std::string cookie(std::string_view name, std::string_view value, bool secure, std::string_view same_site,
                   std::optional<std::int64_t> max_age = {}) {
  return std::string(name) + "=" + std::string(value) +
         "; Path=/; HttpOnly; SameSite=" + std::string(same_site) + (secure ? "; Secure" : "") +
         (max_age ? "; Max-Age=" + std::to_string(*max_age) : "");
}

/// A name that nobody has is counted as others are; it may be anything, even a password in the wrong field.
std::string key_of(std::string_view name) {
  return hash_secret(lowered(name));
}

}  // namespace

Result<Credentials> read_credentials(std::string_view body) {
  const json object = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || object.size() != 2)
    return malformed("the body is to be {\"name\", \"password\"}");
  const Result<std::string> name = text_of(object, "name");
  if (!name) return name.error();
  const Result<std::string> password = text_of(object, "password");
  if (!password) return password.error();
  return Credentials{*name, *password};
}

std::string local_path(std::string_view wanted) {
  const bool local = wanted.size() < 512 && wanted.starts_with('/') && !wanted.starts_with("//") &&
                     wanted.find_first_of("\\\r\n\t") == std::string_view::npos &&
                     std::ranges::all_of(wanted, [](char c) { return c > ' ' && c < '\x7F'; });
  return local ? std::string(wanted) : "/";
}

Route unlocked_session_route() {
  return {
      "GET", "/api/v1/session", Permission::kOpen, Lane::kAtOnce, 0, [](const Request&, std::string_view) {
        return json_response(200, {{"lock", false}, {"sign_in", ordered_json::array()}, {"user", nullptr}});
      }};
}

AccountApi::AccountApi(Accounts& accounts, Lock& lock, AuditTrail& trail, const Options& options)
    : accounts_(accounts),
      lock_(lock),
      trail_(trail),
      options_(options),
      pairs_(kOfPair),
      of_account_(kOfAccount),
      of_client_(kOfClient) {}

std::vector<Route> AccountApi::routes() {
  using Id = std::string_view;
  std::vector<Route> routes = {
      {"GET", "/api/v1/session", Permission::kOpen, Lane::kAtOnce, 0,
       [this](const Request& request, Id) { return session(request); }},
      {"DELETE", "/api/v1/session", Permission::kSelf, Lane::kLookup, 0,
       [this](const Request& request, Id) { return sign_out(request); }},
      {"GET", "/api/v1/tokens", Permission::kSelf, Lane::kLookup, 0,
       [this](const Request& request, Id) { return list_tokens(request); }},
      {"POST", "/api/v1/tokens", Permission::kSelf, Lane::kLookup, kSmallBody,
       [this](const Request& request, Id) { return add_token(request); }},
      {"DELETE", "/api/v1/tokens/{id}", Permission::kSelf, Lane::kLookup, 0,
       [this](const Request& request, Id id) { return revoke_token(request, std::string(id)); }},
      {"GET", "/api/v1/users", Permission::kAdmin, Lane::kLookup, 0,
       [this](const Request&, Id) { return list_users(); }},
      {"POST", "/api/v1/users", Permission::kAdmin, Lane::kSignIn, kSmallBody,
       [this](const Request& request, Id) { return add_user(request); }},
      {"PATCH", "/api/v1/users/{id}", Permission::kAdmin, Lane::kSignIn, kSmallBody,
       [this](const Request& request, Id id) { return change_user(request, std::string(id)); }},
      {"GET", "/api/v1/audit", Permission::kAdmin, Lane::kLookup, 0,
       [this](const Request& request, Id) { return audit(request); }},
  };
  if (options_.passwords) {
    routes.push_back({"POST", "/api/v1/session", Permission::kOpen, Lane::kSignIn, kSmallBody,
                      [this](const Request& request, Id) { return sign_in(request); }});
    routes.push_back({"PUT", "/api/v1/session/password", Permission::kSelf, Lane::kSignIn, kSmallBody,
                      [this](const Request& request, Id) { return change_password(request); }});
  }
  if (options_.provider != nullptr) {
    routes.push_back({"GET", "/api/v1/oidc/start", Permission::kOpen, Lane::kSignIn, 0,
                      [this](const Request& request, Id) { return start_oidc(request); }});
    routes.push_back({"GET", "/api/v1/oidc/callback", Permission::kOpen, Lane::kSignIn, 0,
                      [this](const Request& request, Id) { return finish_oidc(request); }});
  }
  return routes;
}

Response AccountApi::session(const Request& request) const {
  if (request.unidentified) return problem(*request.unidentified);
  ordered_json json = {{"lock", true}, {"sign_in", ordered_json::array()}, {"user", nullptr}};
  if (options_.passwords) json["sign_in"].push_back("password");
  if (options_.provider != nullptr) json["sign_in"].push_back("oidc");
  const Caller& caller = *request.caller;
  if (caller.is_known()) {
    json["user"] = {{"id", caller.user_id}, {"name", caller.user_name}, {"role", name(caller.role)}};
    if (caller.kind == Caller::Kind::kSession) json["csrf"] = caller.csrf;
  }
  return json_response(200, json);
}

std::chrono::milliseconds AccountApi::delay(const Request& request, const std::string& name) {
  const std::string client = client_key(request.origin.address);
  const std::string account = key_of(name);
  const auto own = pairs_.delay(account + client);
  // Who came in from there before is not locked out by strangers' guesses.
  const auto known = accounts_.has_signed_in_from(name, request.origin.address);
  if (known && *known) return own;
  return std::max({own, of_account_.delay(account), of_client_.delay(client)});
}

void AccountApi::count_failure(const Request& request, const std::string& name) {
  const std::string client = client_key(request.origin.address);
  const std::string account = key_of(name);
  pairs_.failed(account + client);
  of_account_.failed(account);
  of_client_.failed(client);
  // Only names that accounts have are written down.
  const auto found = accounts_.find(name);
  trail_.record("sign_in_failed", request, kByPassword, found ? found->name : std::string());
}

Result<Done> AccountApi::end_session_before(const Request& request) {
  if (request.caller->kind != Caller::Kind::kSession) return Done{};
  const auto ended = accounts_.end_session(request.caller->session);
  if (!ended) return ended.error();
  lock_.forget();
  trail_.record("sign_out", request);
  return Done{};
}

Response AccountApi::begin_session(const Request& request, const Account& account, const char* how,
                                   Response response) {
  if (const auto ended = end_session_before(request); !ended) return problem(ended.error());
  const auto secret = accounts_.begin_session(account.id);
  if (!secret) return problem(secret.error());
  trail_.record(Accounts::kSignIn, request, how, account.name);
  response.headers.push_back(
      {"Set-Cookie", cookie(Lock::cookie_name(request), *secret, request.origin.secure, "Strict")});
  return response;
}

Response AccountApi::sign_in(const Request& request) {
  if (!lock_.is_private(request))
    return problem(
        {ErrorCode::kForbidden, "signing in takes HTTPS: a password in the clear is read by others"});
  const auto object = read_object(request, {"name", "password"});
  if (!object) return problem(object.error());
  const auto credentials =
      read_credentials({reinterpret_cast<const char*>(request.body.data()), request.body.size()});
  if (!credentials) return problem(credentials.error());
  if (const auto wait = delay(request, credentials->name); wait.count() > 0)
    return over_quota("too many wrong passwords; wait before you try again", wait);
  const auto hash = accounts_.password_of(credentials->name);
  if (!hash) return problem(hash.error());
  if (!is_password(credentials->password, *hash)) {
    count_failure(request, credentials->name);
    return problem({ErrorCode::kUnauthenticated, "the name or the password is wrong"});
  }
  const auto account = accounts_.find(credentials->name);
  if (!account) return problem(account.error());
  pairs_.succeeded(key_of(credentials->name) + client_key(request.origin.address));
  of_account_.succeeded(key_of(credentials->name));
  if (is_outdated(**hash, options_.cost))
    std::ignore = accounts_.renew_password(account->id, hash_password(credentials->password, options_.cost));
  return begin_session(request, *account, kByPassword, no_content());
}

Response AccountApi::sign_out(const Request& request) {
  const auto ended = accounts_.end_session(request.caller->session);
  if (!ended) return problem(ended.error());
  lock_.forget();
  trail_.record("sign_out", request);
  Response response = no_content();
  response.headers.push_back(
      {"Set-Cookie", cookie(Lock::cookie_name(request), "", request.origin.secure, "Strict", 0)});
  response.headers.push_back({"Clear-Site-Data", "\"cache\", \"storage\""});
  return response;
}

Response AccountApi::change_password(const Request& request) {
  const auto object = read_object(request, {"old", "new"});
  if (!object) return problem(object.error());
  const auto old_one = text_of(*object, "old");
  const auto new_one = text_of(*object, "new");
  if (!old_one || !new_one) return problem(malformed("the body is to be {\"old\", \"new\"}, both text"));
  const Caller& caller = *request.caller;
  if (const auto wait = pairs_.delay("change " + caller.user_id); wait.count() > 0)
    return over_quota("too many wrong passwords; wait before you try again", wait);
  const auto hash = accounts_.password_of(caller.user_name);
  if (!hash) return problem(hash.error());
  if (!is_password(*old_one, *hash)) {
    pairs_.failed("change " + caller.user_id);
    trail_.record("password_refused", request);
    return problem({ErrorCode::kForbidden, "the password that you have is another one"});
  }
  if (const auto fit = check_new_password(*new_one, caller.user_name); !fit) return problem(fit.error());
  const auto changed =
      accounts_.set_password(caller.user_id, hash_password(*new_one, options_.cost), caller.session);
  if (!changed) return problem(changed.error());
  lock_.forget();
  trail_.record("password_changed", request);
  return no_content();
}

Response AccountApi::start_oidc(const Request& request) {
  if (!lock_.is_private(request)) return problem({ErrorCode::kForbidden, "signing in takes HTTPS"});
  // Who follows another site's link is asked first: a provider that remembers people asks nothing.
  if (const std::string* site = request.header("Sec-Fetch-Site");
      site != nullptr && (*site == "cross-site" || *site == "same-site"))
    return {303, {{"Location", "/sign-in.html"}, {"Cache-Control", "no-store"}}, std::string()};
  const std::string* host = request.header("Host");
  const std::string here = (request.origin.secure ? "https://" : "http://") + *host + "/api/v1/oidc/callback";
  const auto flow =
      options_.provider->begin(here, local_path(query_value(request.query, "next").value_or("/")));
  if (!flow) {
    spdlog::error("identity provider: {}", flow.error().message);
    return {303, {{"Location", "/sign-in.html?problem=provider"}}, std::string()};
  }
  // The provider's answer comes without the session's cookie, which is a strict one: it ends here.
  if (const auto ended = end_session_before(request); !ended) return problem(ended.error());
  const std::string_view name = request.origin.secure ? kFlowCookie : kPlainFlowCookie;
  return {303,
          {{"Location", flow->address},
           {"Cache-Control", "no-store"},
           {"Set-Cookie", cookie(name, flow->keep, request.origin.secure, "Lax", kFlowTime.count())}},
          std::string()};
}

Response AccountApi::finish_oidc(const Request& request) {
  const auto back = [&request](std::string_view why) {
    Response response{
        303,
        {{"Location", "/sign-in.html?problem=" + std::string(why)}, {"Cache-Control", "no-store"}},
        std::string()};
    const std::string_view name = request.origin.secure ? kFlowCookie : kPlainFlowCookie;
    response.headers.push_back({"Set-Cookie", cookie(name, "", request.origin.secure, "Lax", 0)});
    return response;
  };
  if (!lock_.is_private(request)) return back("provider");
  const auto kept = cookie_value(request, request.origin.secure ? kFlowCookie : kPlainFlowCookie);
  if (!kept) return back("again");
  const auto person = options_.provider->finish(*kept, request.query);
  if (!person) {
    spdlog::warn("identity provider: {}", person.error().message);
    trail_.record("sign_in_failed", request, kByProvider);
    return back(person.error().code == ErrorCode::kForbidden ? "role" : "provider");
  }
  const auto account =
      accounts_.of_subject(options_.provider->issuer(), person->subject, person->name, person->role);
  if (!account) {
    trail_.record("sign_in_failed", request, kByProvider);
    return back("role");
  }
  lock_.forget();
  Response response = back("");
  response.headers.front() = {"Location", person->next};
  return begin_session(request, *account, kByProvider, std::move(response));
}

Response AccountApi::list_users() {
  const auto all = accounts_.list();
  if (!all) return problem(all.error());
  ordered_json json = {{"users", ordered_json::array()}};
  for (const Account& account : *all) json["users"].push_back(to_json(account));
  return json_response(200, json);
}

Response AccountApi::add_user(const Request& request) {
  const auto object = read_object(request, {"name", "role", "password"});
  if (!object) return problem(object.error());
  const auto name = text_of(*object, "name");
  if (!name) return problem(name.error());
  const auto role_text = text_of(*object, "role");
  if (!role_text) return problem(role_text.error());
  const auto role = parse_role(*role_text);
  if (!role) return problem(role.error());
  const auto password = text_of(*object, "password");
  if (!password) return problem(password.error());
  if (const auto fit = check_new_password(*password, *name); !fit) return problem(fit.error());
  const auto added = accounts_.add(*name, *role, hash_password(*password, options_.cost));
  if (!added) return problem(added.error());
  trail_.record("account_added", request, added->name);
  return json_response(201, to_json(*added));
}

Response AccountApi::change_user(const Request& request, const std::string& id) {
  if (!is_uuid(id)) return problem({ErrorCode::kNotFound, "there is no such account"});
  const auto object = read_object(request, {"role", "disabled", "password"});
  if (!object) return problem(object.error());
  const auto account = accounts_.find_id(id);
  if (!account) return problem(account.error());
  if (object->contains("password") && id == request.caller->user_id)
    return problem({ErrorCode::kForbidden,
                    "your own password is changed at /api/v1/session/password, which asks for the old one"});
  // All fields are looked at before the first is applied: a request that is refused has changed nothing.
  std::optional<Role> role;
  if (object->contains("role")) {
    const auto text = text_of(*object, "role");
    if (!text) return problem(text.error());
    const auto known = parse_role(*text);
    if (!known) return problem(known.error());
    role = *known;
  }
  std::optional<std::string> password;
  if (object->contains("password")) {
    const auto text = text_of(*object, "password");
    if (!text) return problem(text.error());
    if (const auto fit = check_new_password(*text, account->name); !fit) return problem(fit.error());
    password = *text;
  }
  const auto disabled = object->find("disabled");
  if (disabled != object->end() && !disabled->is_boolean())
    return problem(malformed("disabled is to be true or false"));

  if (role) {
    if (const auto done = accounts_.set_role(id, *role); !done) return problem(done.error());
    trail_.record("role_changed", request, account->name);
  }
  if (password) {
    if (const auto done = accounts_.set_password(id, hash_password(*password, options_.cost)); !done)
      return problem(done.error());
    trail_.record("password_reset", request, account->name);
  }
  if (disabled != object->end()) {
    if (const auto done = accounts_.set_disabled(id, disabled->get<bool>()); !done)
      return problem(done.error());
    trail_.record(disabled->get<bool>() ? "account_disabled" : "account_enabled", request, account->name);
  }
  lock_.forget();
  const auto changed = accounts_.find_id(id);
  return changed ? json_response(200, to_json(*changed)) : problem(changed.error());
}

Response AccountApi::list_tokens(const Request& request) {
  const bool all = may(*request.caller, Permission::kAdmin) && query_value(request.query, "all") == "true";
  const auto tokens = accounts_.tokens(all ? std::nullopt : std::optional(request.caller->user_id));
  if (!tokens) return problem(tokens.error());
  ordered_json json = {{"tokens", ordered_json::array()}};
  for (const Token& token : *tokens) json["tokens"].push_back(to_json(token));
  return json_response(200, json);
}

Response AccountApi::add_token(const Request& request) {
  const auto object = read_object(request, {"name", "scopes", "days"});
  if (!object) return problem(object.error());
  const auto name = text_of(*object, "name");
  if (!name) return problem(name.error());
  const auto list = text_of(*object, "scopes");
  if (!list) return problem(list.error());
  const auto scopes = Scopes::parse(*list);
  if (!scopes) return problem(scopes.error());
  const auto days = object->find("days");
  if (days == object->end() || !days->is_number_unsigned() || days->get<std::uint64_t>() > 10'000)
    return problem(malformed("days is to be a number of days, 366 at most"));
  const auto made = accounts_.add_token(request.caller->user_id, *name, *scopes,
                                        static_cast<int>(days->get<std::uint64_t>()));
  if (!made) return problem(made.error());
  trail_.record("token_made", request, made->token.id);
  ordered_json json = to_json(made->token);
  json["token"] = made->secret;
  return json_response(201, json);
}

Response AccountApi::revoke_token(const Request& request, const std::string& id) {
  if (!is_uuid(id)) return problem({ErrorCode::kNotFound, "there is no such token"});
  const bool any = may(*request.caller, Permission::kAdmin);
  const auto done = accounts_.revoke_token(id, any ? std::nullopt : std::optional(request.caller->user_id));
  if (!done) return problem(done.error());
  lock_.forget();
  trail_.record("token_revoked", request, id);
  return no_content();
}

Response AccountApi::audit(const Request& request) {
  const auto before = query_value(request.query, "before");
  if (before && !is_uuid(*before)) return problem(malformed("before is the id of an entry"));
  trail_.flush();
  const auto page = accounts_.audit(kAuditPage, before);
  if (!page) return problem(page.error());
  ordered_json json = {{"entries", ordered_json::array()}};
  for (const AuditEntry& entry : *page)
    json["entries"].push_back({{"id", entry.id},
                               {"at", time_of(entry.at)},
                               {"event", entry.event},
                               {"user", entry.account},
                               {"client", entry.address},
                               {"object", entry.object},
                               {"request_id", entry.request_id}});
  return json_response(200, json);
}

}  // namespace xray
