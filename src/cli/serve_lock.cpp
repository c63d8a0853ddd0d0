#include "cli/serve_lock.h"

#include <spdlog/spdlog.h>

#include <cstdlib>
#include <optional>

#include "common/file.h"

namespace xray {
namespace {

constexpr std::uint64_t kMaxSecretFile = 4096;

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before there are threads
  return value == nullptr ? "" : value;
}

/// The first line of a file that holds a secret.
Result<std::string> read_secret(const std::string& file) {
  Result<std::string> text = read_text(file, kMaxSecretFile);
  if (!text) return Error{ErrorCode::kInvalidArgument, file + ": " + text.error().message};
  return text->substr(0, text->find_first_of("\r\n"));
}

/// $NAME, or the first line of the file in $NAME_FILE.
Result<std::string> secret_of(const char* name) {
  const std::string file = environment((std::string(name) + "_FILE").c_str());
  return file.empty() ? Result<std::string>(environment(name)) : read_secret(file);
}

Result<Done> make_first_account(Accounts& accounts) {
  const std::string name = environment("XRAY_ADMIN_USER");
  if (name.empty()) return Done{};
  const auto any = accounts.any();
  if (!any) return any.error();
  if (*any) return Done{};
  const auto password = secret_of("XRAY_ADMIN_PASSWORD");
  if (!password) return password.error();
  if (const auto fit = check_new_password(*password, name); !fit)
    return with_context(fit.error(), "$XRAY_ADMIN_PASSWORD");
  const auto added = accounts.add(name, Role::kAdmin, hash_password(*password));
  if (!added) {
    // Of several servers that start at one time, one makes it.
    const auto there = accounts.find(name);
    return there ? Result<Done>(Done{}) : with_context(added.error(), "$XRAY_ADMIN_USER");
  }
  spdlog::info("made the first account, {}, of an admin", added->name);
  return Done{};
}

Result<std::unique_ptr<Oidc>> open_provider(const ServeLock& options) {
  if (options.oidc_issuer.empty() || options.oidc_client_id.empty())
    return Error{ErrorCode::kInvalidArgument, "signing in by OIDC takes --oidc-issuer and --oidc-client-id"};
  OidcOptions oidc{.issuer = options.oidc_issuer,
                   .client_id = options.oidc_client_id,
                   .client_secret = {},
                   .scope = options.oidc_scope,
                   .role_claim = options.oidc_role_claim,
                   .roles = {},
                   .default_role = std::nullopt,
                   .max_age = std::nullopt};
  constexpr std::int64_t kHour = 3600;
  if (options.oidc_max_age > 0) oidc.max_age = options.oidc_max_age * kHour;
  auto secret = options.oidc_secret_file.empty() ? secret_of("XRAY_OIDC_CLIENT_SECRET")
                                                 : read_secret(options.oidc_secret_file);
  if (!secret) return secret.error();
  oidc.client_secret = std::move(*secret);
  auto roles = parse_role_map(options.oidc_roles);
  if (!roles) return with_context(roles.error(), "--oidc-roles");
  oidc.roles = std::move(*roles);
  if (!options.oidc_default_role.empty()) {
    const auto role = parse_role(options.oidc_default_role);
    if (!role) return with_context(role.error(), "--oidc-default-role");
    oidc.default_role = *role;
  }
  if (oidc.roles.empty() && !oidc.default_role)
    return Error{ErrorCode::kInvalidArgument,
                 "nobody could come in: name roles with --oidc-roles, or --oidc-default-role"};
  return std::make_unique<Oidc>(std::move(oidc), fetch_https);
}

/// "accounts", "oidc", "both" or "off".
Result<std::string> kind_of_lock(const ServeLock& options, Accounts& accounts, bool reachable) {
  if (options.auth == "off") return options.auth;
  const auto any = accounts.any();
  if (!any) return any.error();
  std::string kind = options.auth;
  if (kind.empty()) kind = !options.oidc_issuer.empty() ? "oidc" : *any ? "accounts" : "";
  if (kind.empty() && !reachable) return std::string("off");
  if ((kind.empty() || kind == "accounts" || kind == "both") && !*any)
    return Error{
        ErrorCode::kInvalidArgument,
        std::string(kind.empty() ? "others can reach this address, and there is no lock"
                                 : "there is no account to sign in with") +
            ": make an account (xray user add NAME --role admin --store ...; or $XRAY_ADMIN_USER and "
            "$XRAY_ADMIN_PASSWORD), name an identity provider (--oidc-issuer), or let everybody in "
            "(--auth off)"};
  return kind;
}

}  // namespace

void add_serve_lock(CLI::App& command, ServeLock& lock) {
  const auto text = [&command](const char* name, std::string& value, const char* help, const char* type,
                               const char* variable) {
    return command.add_option(name, value, help)->type_name(type)->envname(variable);
  };
  CLI::Option* const certificate =
      text("--tls-cert", lock.tls_certificate,
           "Serve HTTPS (and gRPC through TLS) with this certificate and its chain, in PEM; a new one is\n"
           "taken within seconds, or at once on SIGHUP",
           "FILE", "XRAY_TLS_CERT");
  CLI::Option* const key = text("--tls-key", lock.tls_key, "Its private key, in PEM", "FILE", "XRAY_TLS_KEY");
  certificate->needs(key);
  key->needs(certificate);
  text("--trust-proxy", lock.trust_proxy,
       "Proxies that end TLS, whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses,\n"
       "ADDRESS/BITS, loopback, private",
       "NETWORKS", "XRAY_TRUST_PROXY");
  command
      .add_flag("--insecure-http", lock.insecure_http,
                "Let people sign in without TLS: whoever listens to the network reads passwords")
      ->envname("XRAY_INSECURE_HTTP");
  text("--auth", lock.auth,
       "Who may come in: accounts (xray user), oidc, both, or off: everybody. Default: off where only\n"
       "this machine can reach the server and there are no accounts; elsewhere it does not start without",
       "KIND", "XRAY_AUTH")
      ->check(CLI::IsMember({"accounts", "oidc", "both", "off"}));
  text("--oidc-issuer", lock.oidc_issuer, "Identity provider (OpenID Connect) that signs people in", "URL",
       "XRAY_OIDC_ISSUER");
  text("--oidc-client-id", lock.oidc_client_id,
       "As which the provider knows this server; its secret is in $XRAY_OIDC_CLIENT_SECRET", "ID",
       "XRAY_OIDC_CLIENT_ID");
  text("--oidc-client-secret-file", lock.oidc_secret_file, "The secret is in this file instead", "FILE",
       "XRAY_OIDC_CLIENT_SECRET_FILE");
  text("--oidc-scope", lock.oidc_scope, "What the provider is asked for (default: openid profile)", "SCOPES",
       "XRAY_OIDC_SCOPE");
  text("--oidc-role-claim", lock.oidc_role_claim,
       "Claim that tells the role; a dot goes into an object (default: roles)", "CLAIM",
       "XRAY_OIDC_ROLE_CLAIM");
  text("--oidc-roles", lock.oidc_roles,
       "What the claim's values make of people: radiologist=reviewer,it=admin", "VALUE=ROLE,...",
       "XRAY_OIDC_ROLES");
  text("--oidc-default-role", lock.oidc_default_role,
       "Role where no value fits (default: such people stay outside)", "ROLE", "XRAY_OIDC_DEFAULT_ROLE");
  command
      .add_option(
          "--oidc-max-age", lock.oidc_max_age,
          "Hours since the provider has asked people who they are, at most; 0: however long ago, for\n"
          "providers that do not tell (default: 12)")
      ->type_name("HOURS")
      ->check(CLI::Range(0, 24 * 365));
  command
      .add_option("--session-idle", lock.session_idle,
                  "Minutes without a request after which a session ends "
                  "(default: 30)")
      ->type_name("MINUTES")
      ->check(CLI::Range(1, 24 * 60));
  command.add_option("--session-hours", lock.session_hours, "Hours after which a session ends (default: 12)")
      ->type_name("HOURS")
      ->check(CLI::Range(1, 24 * 30));
  command
      .add_option("--user-requests", lock.requests_per_minute,
                  "Requests a minute of one user; 0: no limit (default: 1200)")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000));
  command
      .add_option("--user-uploads", lock.uploads_per_day,
                  "Pictures a day that one user has read and kept; 0: no limit (default: 2000)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}));
  command
      .add_option("--user-bytes", lock.kept_bytes,
                  "Bytes of one user's kept pictures; 0: no limit (default: 0)")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false));
  command
      .add_option("--audit-days", lock.audit_days, "Days for which the audit trail is kept (default: 365)")
      ->type_name("DAYS")
      ->check(CLI::Range(1, 36'500));
}

Result<RunningLock> open_lock(const ServeLock& options, std::shared_ptr<sql::Database> database,
                              const Exposure& exposure) {
  RunningLock running;
  constexpr std::int64_t kMinute = 60;
  auto accounts = Accounts::open(std::move(database), {.idle = options.session_idle * kMinute,
                                                       .longest = options.session_hours * 60 * kMinute});
  if (!accounts) return accounts.error();
  if (const auto made = make_first_account(**accounts); !made) return made.error();
  const bool reachable = exposure.reachable || !options.trust_proxy.empty();
  const auto kind = kind_of_lock(options, **accounts, reachable);
  if (!kind) return kind.error();
  if (*kind == "off") return running;
  if (reachable && !exposure.tls && options.trust_proxy.empty() && !options.insecure_http)
    return Error{
        ErrorCode::kInvalidArgument,
        "passwords would cross the network in the clear: give a certificate (--tls-cert, --tls-key), name "
        "the proxy that has one (--trust-proxy), or say that this is all right (--insecure-http)"};
  // A proxy that ends TLS passes on what came through it; of gRPC's calls it is not known which did.
  if (exposure.grpc && !exposure.tls && !options.insecure_http)
    return Error{ErrorCode::kInvalidArgument,
                 "--grpc: tokens would cross the network in the clear: give a certificate (--tls-cert, "
                 "--tls-key), listen on this machine alone (127.0.0.1), or say that this is all right "
                 "(--insecure-http)"};
  if (*kind != "accounts") {
    auto provider = open_provider(options);
    if (!provider) return provider.error();
    running.provider = std::move(*provider);
  }
  running.accounts = std::move(*accounts);
  running.trail = std::make_unique<AuditTrail>(*running.accounts, options.audit_days);
  running.lock = std::make_unique<Lock>(*running.accounts, *running.trail,
                                        LockOptions{.plain_allowed = options.insecure_http || !reachable,
                                                    .requests_per_minute = options.requests_per_minute,
                                                    .uploads_per_day = options.uploads_per_day,
                                                    .kept_bytes = options.kept_bytes});
  running.api = std::make_unique<AccountApi>(
      *running.accounts, *running.lock, *running.trail,
      AccountApi::Options{.passwords = *kind != "oidc", .provider = running.provider.get(), .cost = {}});
  return running;
}

}  // namespace xray
