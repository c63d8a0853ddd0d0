#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.h"
#include "auth/jwt.h"
#include "common/result.h"

namespace xray {

/// Which identity provider signs people in, and what its word makes of them.
struct OidcOptions {
  std::string issuer;  ///< "https://id.hospital.example": https, or http on loopback
  std::string client_id;
  std::string client_secret;  ///< empty: a public client, PKCE alone
  std::string scope = "openid profile";
  std::string role_claim = "roles";  ///< text, or a list of texts; "realm_access.roles" is inside an object
  struct RoleOf {
    std::string value;  ///< of the claim
    Role role;
  };
  std::vector<RoleOf> roles;         ///< the highest that fits counts
  std::optional<Role> default_role;  ///< where none fits; without it such people stay outside
  /// Seconds since the provider has asked people who they are, at most; none: however long ago.
  std::optional<std::int64_t> max_age;
};

/// "radiologist=reviewer,it=admin". kInvalidArgument.
Result<std::vector<OidcOptions::RoleOf>> parse_role_map(std::string_view text);

/// What a provider says of itself (OpenID Connect Discovery 1.0).
struct OidcProvider {
  std::string authorization_endpoint;
  std::string token_endpoint;
  std::string jwks_uri;
};
/// kInvalidArgument where it is no such document, or another issuer's.
Result<OidcProvider> read_discovery(std::string_view text, std::string_view issuer);

/// Sends a request and returns the answer's body; POST where there is a form. kIo, kTimeout, kTooLarge;
/// kUnusable for a status other than 200.
struct Fetch {
  std::string url;
  std::string form;           ///< application/x-www-form-urlencoded
  std::string authorization;  ///< the field's value; may be empty
};
using Fetcher = std::function<Result<std::string>(const Fetch&)>;

/// Signing in by an OpenID provider: authorization code with PKCE (RFC 7636), state and nonce; the ID token's
/// signature, issuer, audience, times (with max_age, that of the person's signing in, too) and nonce are
/// checked. What has to be remembered between the two steps lies with the browser. Thread-safe.
class Oidc {
 public:
  Oidc(OidcOptions options, Fetcher fetch) : options_(std::move(options)), fetch_(std::move(fetch)) {}

  struct Flow {
    std::string address;  ///< where the browser is sent
    std::string keep;     ///< for finish(); a cookie's value that nobody else may see
  };
  /// `redirect` is where the provider sends the browser back to. Errors of the fetcher and of what was
  /// fetched.
  Result<Flow> begin(const std::string& redirect, const std::string& next);

  struct Person {
    std::string subject;
    std::string name;
    Role role = Role::kReader;
    std::string next;
  };
  /// `query` is what the browser came back with. kUnauthenticated; kForbidden where no role fits.
  Result<Person> finish(std::string_view keep, std::string_view query);

  const std::string& issuer() const { return options_.issuer; }

 private:
  Result<OidcProvider> provider();
  Result<Jwks> keys(bool anew);
  Result<Person> person_of(const Claims& claims, std::string next) const;

  const OidcOptions options_;
  const Fetcher fetch_;
  std::mutex mutex_;
  std::optional<OidcProvider> provider_;
  std::optional<Jwks> keys_;
  std::int64_t keys_at_ = 0;
};

/// A fetcher over HTTPS with the system's roots ($SSL_CERT_FILE), or over HTTP on loopback: 10 seconds and
/// 256 KiB at most, no redirections.
Result<std::string> fetch_https(const Fetch& fetch);

}  // namespace xray
