#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "auth/accounts.h"
#include "auth/oidc.h"
#include "serve/http/account_api.h"
#include "serve/http/audit_trail.h"
#include "serve/http/lock.h"

namespace xray {

/// What the command line of `xray serve` says of who may come in, and how.
struct ServeLock {
  std::string tls_certificate;  ///< files of PEM; empty: none
  std::string tls_key;
  std::string trust_proxy;  ///< see Networks::parse
  bool insecure_http = false;
  std::string auth;  ///< "accounts", "oidc", "both", "off"; empty: as it has to be
  std::string oidc_issuer;
  std::string oidc_client_id;
  std::string oidc_secret_file;
  std::string oidc_scope = "openid profile";
  std::string oidc_role_claim = "roles";
  std::string oidc_roles;
  std::string oidc_default_role;
  int oidc_max_age = 12;  ///< hours; 0: does not matter
  int session_idle = 30;  ///< minutes
  int session_hours = 12;
  int requests_per_minute = 1200;
  std::int64_t uploads_per_day = 2000;
  std::int64_t kept_bytes = 0;
  int audit_days = 365;
};

void add_serve_lock(CLI::App& command, ServeLock& lock);

/// Who can reach the doors.
struct Exposure {
  bool reachable = false;  ///< from other machines
  bool tls = false;
  bool grpc = false;  ///< from other machines, by gRPC
};

/// The lock as it works; nothing in it where there is none. Members in the order of their making.
struct RunningLock {
  std::unique_ptr<Accounts> accounts;
  std::unique_ptr<AuditTrail> trail;
  std::unique_ptr<Oidc> provider;
  std::unique_ptr<Lock> lock;
  std::unique_ptr<AccountApi> api;
};

/// Makes the first account where $XRAY_ADMIN_USER names one and there is none, and the lock where there is to
/// be one: where it is asked for, where there are accounts or a provider, and wherever others can reach the
/// server, unless `--auth off` says that they may come in. kInvalidArgument where it cannot be made, or would
/// be open to whoever listens to the network.
Result<RunningLock> open_lock(const ServeLock& options, std::shared_ptr<sql::Database> database,
                              const Exposure& exposure);

}  // namespace xray
