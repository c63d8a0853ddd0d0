#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "auth/accounts.h"
#include "auth/attempts.h"
#include "serve/http/audit_trail.h"
#include "serve/http/gate.h"

namespace xray {

/// How much a user may ask for, and by which ways.
struct LockOptions {
  bool plain_allowed = false;           ///< signing in and keys in the clear: on loopback, or when told so
  int requests_per_minute = 1200;       ///< of one user; 0: no limit
  int refusals_per_minute = 120;        ///< of one client that is not known: wrong keys, wrong passwords
  std::int64_t uploads_per_day = 2000;  ///< of one user; 0: no limit
  std::int64_t kept_bytes = 0;          ///< of one user's pictures; 0: no limit
};

/// The lock on the doors: keys are a session's cookie or a token's "Authorization: Bearer". What the database
/// said of a key is believed for kBelieve, so that other replicas' changes work after that time at the
/// latest, and those made here at once. Thread-safe.
class Lock final : public Gate, public FindingRights {
 public:
  static constexpr std::chrono::seconds kBelieve{5};

  /// Both outlive the object.
  Lock(Accounts& accounts, AuditTrail& trail, const LockOptions& options);

  bool recognise(Request& head) override;
  void identify(Request& head) override;
  std::optional<Response> refuse(const Request& head, Permission permission) override;

  /// Who has this value of "Authorization", and may do that much: for doors other than HTTP's. Asks the
  /// database, and writes refusals down: where a role does not allow it in the audit trail, else in the log,
  /// a bounded number of lines a minute. kUnauthenticated, kForbidden, kOverQuota; kBusy, kStorage.
  Result<Done> admit(std::string_view authorization, Permission permission, const std::string& address);

  Result<Done> may_make(const Request& request) override;
  Result<Done> may_remove(const Request& request, const std::string& id) override;
  Result<Done> made(const Request& request, const std::string& id, std::size_t bytes) override;
  void viewed(const Request& request, const std::string& id) override;
  void removed(const Request& request, const std::string& id) override;

  /// Asks the database anew about every key: after anything about accounts was changed.
  void forget();
  /// Whether secrets may travel the way that this request came.
  bool is_private(const Request& request) const { return request.origin.secure || options_.plain_allowed; }

  /// The cookie that holds a session. A browser takes the one of TLS from nobody but this very host.
  static std::string_view cookie_name(const Request& request);
  static constexpr std::string_view kCsrfField = "X-CSRF-Token";

 private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    std::shared_ptr<const Caller> caller;
    Clock::time_point until;
  };
  struct Key {
    std::string secret;
    bool is_token = false;
  };

  /// What `request` carries; nothing where there is none, or more than one.
  static std::optional<Key> key_of(const Request& request);
  std::shared_ptr<const Caller> remembered(const std::string& hash);
  Result<std::shared_ptr<const Caller>> look_up(const Key& key);
  void tell(const char* by, const std::string& client, const std::string& account);

  Accounts& accounts_;
  AuditTrail& trail_;
  const LockOptions options_;
  RateLimit requests_;
  RateLimit refusals_;
  RateLimit tells_;
  const std::shared_ptr<const Caller> nobody_ = std::make_shared<const Caller>();
  std::mutex mutex_;
  std::uint64_t changes_ = 0;
  std::unordered_map<std::string, Known> known_;
};

/// The value of a cookie of that name; nothing where there is none, or several, or it is longer than any of
/// ours.
std::optional<std::string_view> cookie_value(const Request& request, std::string_view name);

}  // namespace xray
