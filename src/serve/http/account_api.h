#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/accounts.h"
#include "auth/attempts.h"
#include "auth/oidc.h"
#include "auth/password.h"
#include "serve/http/audit_trail.h"
#include "serve/http/lock.h"
#include "serve/http/router.h"

namespace xray {

/// What signs in: "name" and "password". kInvalidArgument.
struct Credentials {
  std::string name;
  std::string password;
};
Result<Credentials> read_credentials(std::string_view body);

/// Signing in and out, and what is one's own: /api/v1/session, /api/v1/tokens; and accounts for admins:
/// /api/v1/users, /api/v1/audit. A wrong name and a wrong password are answered alike, in the same time.
/// Thread-safe. The object, and what it was made from, outlive the routes.
class AccountApi {
 public:
  struct Options {
    bool passwords = true;     ///< signing in by name and password
    Oidc* provider = nullptr;  ///< of identities; none: none
    PasswordCost cost;
    std::int64_t longest_session = 12 * 60 * 60;  ///< seconds
  };

  AccountApi(Accounts& accounts, Lock& lock, AuditTrail& trail, const Options& options);

  std::vector<Route> routes();

 private:
  Response session(const Request& request) const;
  Response sign_in(const Request& request);
  Response sign_out(const Request& request);
  Response change_password(const Request& request);
  Response start_oidc(const Request& request);
  Response finish_oidc(const Request& request);
  /// Of the browser that asks, where it has one.
  Result<Done> end_session_before(const Request& request);
  /// `how` one signed in, for the audit trail.
  Response begin_session(const Request& request, const Account& account, const char* how, Response response);

  Response list_users();
  Response add_user(const Request& request);
  Response change_user(const Request& request, const std::string& id);
  Response list_tokens(const Request& request);
  Response add_token(const Request& request);
  Response revoke_token(const Request& request, const std::string& id);
  Response audit(const Request& request);

  /// How long somebody at the client of `request` has to wait before trying `name` again.
  std::chrono::milliseconds delay(const Request& request, const std::string& name);
  void count_failure(const Request& request, const std::string& name);

  Accounts& accounts_;
  Lock& lock_;
  AuditTrail& trail_;
  const Options options_;
  Attempts pairs_;       ///< of an account and a client
  Attempts of_account_;  ///< from anywhere
  Attempts of_client_;   ///< for any account
};

/// GET /api/v1/session where there is no lock: it says so.
Route unlocked_session_route();

/// A path of this server's own, to go to after signing in: "/", unless `wanted` is one.
std::string local_path(std::string_view wanted);

}  // namespace xray
