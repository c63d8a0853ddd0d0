#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.h"
#include "common/result.h"

namespace xray {

namespace sql {
class Database;
}

/// Somebody who may sign in. Times are seconds since 1970.
struct Account {
  std::string id;
  std::string name;
  Role role = Role::kReader;
  bool disabled = false;
  bool has_password = false;  ///< else an identity provider signs in
  std::int64_t created_at = 0;
};

/// A key of a program's, without its secret.
struct Token {
  std::string id;
  std::string account;  ///< its name
  std::string name;
  Scopes scopes;
  std::int64_t created_at = 0;
  std::int64_t expires_at = 0;
};

/// Something that was done.
struct AuditEntry {
  std::string id;
  std::int64_t at = 0;
  std::string event;
  std::string account;
  std::string address;
  std::string object;
  std::string request_id;
};

/// What belongs to an account.
struct Belongings {
  std::int64_t today = 0;  ///< findings made within 24 hours
  std::int64_t bytes = 0;  ///< of pictures that are kept
};

/// How long one stays signed in.
struct SessionLimits {
  std::int64_t idle = 30LL * 60;          ///< seconds without a request
  std::int64_t longest = 12LL * 60 * 60;  ///< seconds in all
};

/// Accounts, their sessions and tokens, whose findings are, and the audit trail. Secrets are kept as hashes
/// alone. Thread-safe; every call is one transaction. Failures: kNotFound where a name or id names nothing;
/// kInvalidArgument; kBusy where the database cannot answer now; kStorage.
class Accounts {
 public:
  /// Seconds since 1970.
  using Now = std::function<std::int64_t()>;

  /// Brings its tables up to date. Errors of sql::migrate.
  static Result<std::unique_ptr<Accounts>> open(std::shared_ptr<sql::Database> database,
                                                const SessionLimits& limits = {}, Now now = {});
  ~Accounts();

  /// Whether there is any account.
  Result<bool> any();
  /// `password` is a hash, or none where there is to be no signing in by one. kInvalidArgument where the name
  /// is taken, or is none: 1 to 64 of a-z, 0-9, ".", "_", "-", "@"; capitals are made small.
  Result<Account> add(std::string_view name, Role role, const std::optional<std::string>& password);
  Result<std::vector<Account>> list();
  Result<Account> find(std::string_view name);
  Result<Account> find_id(std::string_view id);
  /// The hash of an account's password; nothing where there is none, or no such account.
  Result<std::optional<std::string>> password_of(std::string_view name);
  /// Ends all sessions but `kept`, a hash.
  Result<Done> set_password(const std::string& id, const std::string& password, const std::string& kept = {});
  /// Only exchanges one hash of the same password for another.
  Result<Done> renew_password(const std::string& id, const std::string& password);
  /// The account signs in anew. kInvalidArgument where no admin would be left that can come in.
  Result<Done> set_role(const std::string& id, Role role);
  /// Ends its sessions; its tokens work no longer while it is disabled. kInvalidArgument as above.
  Result<Done> set_disabled(const std::string& id, bool disabled);
  /// The account of somebody whom an identity provider knows, with this role from now on; a new one is made,
  /// under `name` or, where that is taken, a name like it. kUnusable where it is disabled.
  Result<Account> of_subject(const std::string& issuer, const std::string& subject, std::string_view name,
                             Role role);

  /// The secret of a new session.
  Result<std::string> begin_session(const std::string& account_id);
  /// Whose session it is; nothing where it has ended. Remembers that it was used.
  Result<std::optional<Caller>> of_session(std::string_view secret);
  Result<Done> end_session(const std::string& hash);

  /// A new token, and its secret, which is never told again. `days` from 1 to 366.
  struct NewToken {
    Token token;
    std::string secret;
  };
  Result<NewToken> add_token(const std::string& account_id, std::string_view name, Scopes scopes, int days);
  /// Of all accounts, or of one.
  Result<std::vector<Token>> tokens(const std::optional<std::string>& account_id);
  /// Only of that account where one is given.
  Result<Done> revoke_token(const std::string& id, const std::optional<std::string>& account_id);
  Result<std::optional<Caller>> of_token(std::string_view secret);

  Result<Done> add_belonging(const std::string& finding_id, const std::string& account_id,
                             std::int64_t bytes);
  Result<Done> remove_belonging(const std::string& finding_id);
  /// The account's id; empty where it is nobody's.
  Result<std::string> owner_of(const std::string& finding_id);
  Result<Belongings> belongings(const std::string& account_id);

  /// Ids and, where they are 0, times are made here.
  Result<Done> record(std::vector<AuditEntry> entries);
  /// Newest first, at most `limit`, older than the entry `before` where given.
  Result<std::vector<AuditEntry>> audit(int limit, const std::optional<std::string>& before = {});
  /// Whether `account` signed in from there within 30 days.
  Result<bool> has_signed_in_from(std::string_view account, std::string_view address);

  /// Forgets sessions and tokens that have ended, and what the audit trail has held for more than
  /// `audit_days`.
  Result<Done> forget_old(int audit_days);

  static constexpr std::string_view kTokenPrefix = "xray_";
  static constexpr std::string_view kSignIn = "sign_in";

 private:
  Accounts(std::shared_ptr<sql::Database> database, const SessionLimits& limits, Now now);
  template <typename Change>
  Result<Done> change(bool keeps_admins, const Change& run);

  std::shared_ptr<sql::Database> database_;
  SessionLimits limits_;
  Now now_;
};

}  // namespace xray
