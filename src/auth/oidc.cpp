#include "auth/oidc.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <utility>

#include "auth/secret.h"
#include "common/clock.h"
#include "common/text.h"

namespace xray {
namespace {

using nlohmann::json;

constexpr std::int64_t kKeysAgain = 60;         ///< seconds between two looks at a provider's keys, at least
constexpr std::int64_t kKeysOld = 24LL * 3600;  ///< and at most
constexpr std::size_t kMaxQuery = 8U << 10U;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

/// RFC 3986, section 2.1.
std::string escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_plain(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return out;
}

/// Nothing where `name` is not there, or there twice.
std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != name) continue;
    if (found) return std::nullopt;
    std::string value(pair.substr(std::min(equals + 1, pair.size())));
    std::ranges::replace(value, '+', ' ');
    found = percent_decoded(value);
  }
  return found;
}

Error refused(const std::string& why) {
  return {ErrorCode::kUnauthenticated, why};
}

/// Where a claim stands: "roles", or "realm_access.roles" inside an object; a name with dots is looked for
/// first.
const json* find_claim(const Claims& claims, std::string_view path) {
  const json* at = &claims;
  for (;;) {
    if (!at->is_object()) return nullptr;
    if (const auto whole = at->find(std::string(path)); whole != at->end()) return &*whole;
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) return nullptr;
    const auto inner = at->find(std::string(path.substr(0, dot)));
    if (inner == at->end()) return nullptr;
    at = &*inner;
    path.remove_prefix(dot + 1);
  }
}

bool has_value(const json& claim, const std::string& value) {
  if (claim.is_string()) return claim == value;
  return claim.is_array() && std::ranges::find(claim, json(value)) != claim.end();
}

}  // namespace

Result<std::vector<OidcOptions::RoleOf>> parse_role_map(std::string_view text) {
  std::vector<OidcOptions::RoleOf> map;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(','));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const std::size_t equals = pair.rfind('=');
    if (equals == std::string_view::npos || equals == 0)
      return Error{ErrorCode::kInvalidArgument, "roles are mapped as VALUE=ROLE, with commas between them"};
    const auto role = parse_role(pair.substr(equals + 1));
    if (!role) return role.error();
    map.push_back({std::string(pair.substr(0, equals)), *role});
  }
  return map;
}

Result<OidcProvider> read_discovery(std::string_view text, std::string_view issuer) {
  const json document = json::parse(text, nullptr, false);
  const auto field = [&document](const char* name) -> std::string {
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!document.is_object())
    return Error{ErrorCode::kInvalidArgument, "what the issuer says of itself is no JSON"};
  if (field("issuer") != issuer)
    return Error{ErrorCode::kInvalidArgument, "what the issuer says of itself is another issuer's"};
  OidcProvider provider{field("authorization_endpoint"), field("token_endpoint"), field("jwks_uri")};
  for (const std::string* url :
       {&provider.authorization_endpoint, &provider.token_endpoint, &provider.jwks_uri})
    if (!url->starts_with("https://") && !url->starts_with("http://"))
      return Error{ErrorCode::kInvalidArgument, "what the issuer says of itself lacks an address"};
  return provider;
}

Result<OidcProvider> Oidc::provider() {
  {
    const std::scoped_lock lock(mutex_);
    if (provider_) return *provider_;
  }
  std::string address = options_.issuer;
  while (address.ends_with('/')) address.pop_back();
  const auto text =
      fetch_({.url = address + "/.well-known/openid-configuration", .form = {}, .authorization = {}});
  if (!text) return text.error();
  auto found = read_discovery(*text, options_.issuer);
  if (!found) return found.error();
  const std::scoped_lock lock(mutex_);
  provider_ = *found;
  return found;
}

Result<Jwks> Oidc::keys(bool anew) {
  const auto known = provider();
  if (!known) return known.error();
  {
    const std::scoped_lock lock(mutex_);
    const std::int64_t age = unix_seconds() - keys_at_;
    if (keys_ && age < (anew ? kKeysAgain : kKeysOld)) return *keys_;
  }
  const auto text = fetch_({.url = known->jwks_uri, .form = {}, .authorization = {}});
  if (!text) return text.error();
  auto keys = Jwks::parse(*text);
  if (!keys) return keys.error();
  const std::scoped_lock lock(mutex_);
  keys_ = *keys;
  keys_at_ = unix_seconds();
  return keys;
}

Result<Oidc::Flow> Oidc::begin(const std::string& redirect, const std::string& next) {
  const auto known = provider();
  if (!known) return known.error();
  const std::string state = make_secret();
  const std::string nonce = make_secret();
  const std::string verifier = make_secret();
  std::string address = known->authorization_endpoint;
  address += address.find('?') == std::string::npos ? '?' : '&';
  address += "response_type=code&client_id=" + escaped(options_.client_id) +
             "&redirect_uri=" + escaped(redirect) + "&scope=" + escaped(options_.scope) + "&state=" + state +
             "&nonce=" + nonce + "&code_challenge=" + encode_base64url(sha256(verifier)) +
             "&code_challenge_method=S256";
  if (options_.max_age) address += "&max_age=" + std::to_string(*options_.max_age);
  return Flow{std::move(address),
              state + "." + nonce + "." + verifier + "." + escaped(redirect) + "|" + escaped(next)};
}

Result<Oidc::Person> Oidc::finish(std::string_view keep, std::string_view query) {
  constexpr std::size_t kSecret = 43;
  constexpr std::size_t kSecrets = 3 * (kSecret + 1);
  if (query.size() > kMaxQuery || keep.size() < kSecrets || keep.size() > kMaxQuery)
    return refused("the answer belongs to no sign-in that was begun");
  const std::string_view state = keep.substr(0, kSecret);
  const std::string nonce(keep.substr(kSecret + 1, kSecret));
  const std::string_view verifier = keep.substr(2 * (kSecret + 1), kSecret);
  const std::string_view rest = keep.substr(kSecrets);
  const std::size_t bar = std::min(rest.find('|'), rest.size());
  const auto came = parameter(query, "state");
  if (!came || !same_secret(*came, state)) return refused("the answer belongs to no sign-in that was begun");
  if (parameter(query, "error")) return refused("the provider refused to sign in");
  if (const auto issuer = parameter(query, "iss"); issuer && *issuer != options_.issuer)
    return refused("the answer is another issuer's");
  const auto code = parameter(query, "code");
  if (!code) return refused("the provider sent no code");

  const auto known = provider();
  if (!known) return known.error();
  Fetch exchange{.url = known->token_endpoint, .form = {}, .authorization = {}};
  exchange.form = "grant_type=authorization_code&code=" + escaped(*code) +
                  "&redirect_uri=" + std::string(rest.substr(0, bar)) +
                  "&code_verifier=" + std::string(verifier) + "&client_id=" + escaped(options_.client_id);
  if (!options_.client_secret.empty()) exchange.form += "&client_secret=" + escaped(options_.client_secret);
  const auto text = fetch_(exchange);
  if (!text) return text.error();
  const json answer = json::parse(*text, nullptr, false);
  const auto token = answer.is_object() ? answer.find("id_token") : answer.end();
  if (!answer.is_object() || token == answer.end() || !token->is_string())
    return refused("the provider sent no ID token");

  const ExpectedToken expected{options_.issuer, options_.client_id, nonce, options_.max_age, unix_seconds()};
  Result<Claims> claims = refused("");
  // The provider may have changed its keys since they were asked for.
  for (const bool anew : {false, true}) {
    const auto shown = keys(anew);
    if (!shown) return shown.error();
    claims = read_id_token(token->get_ref<const std::string&>(), *shown, expected);
    if (claims || claims.error().code != ErrorCode::kNotFound) break;
  }
  if (!claims) return refused(claims.error().message);
  return person_of(*claims, percent_decoded(rest.substr(std::min(bar + 1, rest.size()))));
}

Result<Oidc::Person> Oidc::person_of(const Claims& claims, std::string next) const {
  Person person{.subject = claims.at("sub").get<std::string>(), .name = {}, .next = std::move(next)};
  for (const char* field : {"preferred_username", "email", "sub"}) {
    const auto found = claims.find(field);
    if (person.name.empty() && found != claims.end() && found->is_string())
      person.name = found->get<std::string>();
  }
  std::optional<Role> role = options_.default_role;
  const json* const claim = find_claim(claims, options_.role_claim);
  if (claim != nullptr)
    for (const auto& [value, mapped] : options_.roles)
      if (has_value(*claim, value) && (!role || mapped > *role)) role = mapped;
  if (!role) return Error{ErrorCode::kForbidden, "the provider gives this person no role here"};
  person.role = *role;
  return person;
}

}  // namespace xray
