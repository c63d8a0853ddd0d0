#include "auth/accounts.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "auth/secret.h"
#include "common/clock.h"
#include "common/embedded.h"
#include "common/text.h"
#include "store/sql.h"
#include "store/uuid.h"

namespace xray {

/// migrations/*.sql, in the order of their names.
std::span<const EmbeddedFile> account_files();

namespace {

using sql::Connection;
using sql::guarded;
using sql::Query;
using sql::Transaction;

constexpr std::int64_t kDay = 24LL * 60 * 60;
/// A session that is used is written down no more often.
constexpr std::int64_t kSeenAgain = 60;
constexpr std::size_t kMaxName = 64;
constexpr int kMaxTokenDays = 366;
constexpr int kMaxAuditPage = 1000;
constexpr std::int64_t kKnownAddressDays = 30;
/// So that no two changes leave the server without an admin between them.
constexpr std::string_view kAdminsLock = "accounts";
constexpr const char* kAccountColumns =
    "SELECT id, name, role, disabled, CASE WHEN password IS NULL THEN 0 ELSE 1 END, created_at FROM account";
constexpr const char* kTokenColumns =
    "SELECT t.id, a.name, t.name, t.scopes, t.created_at, t.expires_at FROM token t JOIN account a ON a.id = "
    "t.account_id";

Error no_such(std::string_view what) {
  return {ErrorCode::kNotFound, "there is no such " + std::string(what)};
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-@") == std::string_view::npos;
}

Account read_account(const Query& row) {
  return {.id = row.text(0),
          .name = row.text(1),
          .role = parse_role(row.text(2)).value(),
          .disabled = row.integer(3) != 0,
          .has_password = row.integer(4) != 0,
          .created_at = row.integer(5)};
}

Token read_token(const Query& row) {
  return {.id = row.text(0),
          .account = row.text(1),
          .name = row.text(2),
          .scopes = Scopes::parse(row.text(3)).value(),
          .created_at = row.integer(4),
          .expires_at = row.integer(5)};
}

bool has_admin(Connection& connection) {
  Query query(connection, "SELECT 1 FROM account WHERE role = 'admin' AND disabled = 0 LIMIT 1");
  return query.step();
}

void end_sessions(Connection& connection, const std::string& account_id, const std::string& kept = {}) {
  Query(connection, "DELETE FROM session WHERE account_id = ? AND hash <> ?")
      .bind(account_id)
      .bind(kept)
      .step();
}

Result<Account> find_one(sql::Database& database, const char* where, std::string_view what) {
  return guarded([&]() -> Result<Account> {
    const auto connection = database.read();
    Query query(*connection, std::string(kAccountColumns) + where);
    if (!query.bind(what).step()) return no_such("account");
    return read_account(query);
  });
}

/// Writes an account down; false where its name is taken.
bool insert(Connection& connection, const Account& account, const std::optional<std::string>& password,
            const std::optional<std::string>& issuer, const std::optional<std::string>& subject) {
  Query query(connection,
              "INSERT INTO account (id, name, role, password, issuer, subject, disabled, created_at)"
              " VALUES (?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING");
  query.bind(account.id)
      .bind(account.name)
      .bind(name(account.role))
      .bind(password)
      .bind(issuer)
      .bind(subject);
  query.bind(account.created_at).step();
  return query.changes() == 1;
}

}  // namespace

Accounts::Accounts(std::shared_ptr<sql::Database> database, const SessionLimits& limits, Now now)
    : database_(std::move(database)), limits_(limits), now_(now ? std::move(now) : Now(unix_seconds)) {}

Accounts::~Accounts() = default;

Result<std::unique_ptr<Accounts>> Accounts::open(std::shared_ptr<sql::Database> database,
                                                 const SessionLimits& limits, Now now) {
  const auto migrated = sql::migrate(*database, "accounts", account_files());
  if (!migrated) return migrated.error();
  return std::unique_ptr<Accounts>(new Accounts(std::move(database), limits, std::move(now)));
}

Result<bool> Accounts::any() {
  return guarded([&]() -> Result<bool> {
    const auto connection = database_->read();
    return Query(*connection, "SELECT 1 FROM account LIMIT 1").step();
  });
}

Result<Account> Accounts::add(std::string_view name, Role role, const std::optional<std::string>& password) {
  const Account account{.id = make_uuid7(),
                        .name = lowered(name),
                        .role = role,
                        .disabled = false,
                        .has_password = password.has_value(),
                        .created_at = now_()};
  if (!is_name(account.name))
    return Error{ErrorCode::kInvalidArgument,
                 "the name of an account is 1 to 64 of the letters a-z, digits, and . _ - @"};
  return guarded([&]() -> Result<Account> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    if (!insert(*connection, account, password, std::nullopt, std::nullopt))
      return Error{ErrorCode::kInvalidArgument, "there is an account of this name already"};
    transaction.commit();
    return account;
  });
}

Result<std::vector<Account>> Accounts::list() {
  return guarded([&]() -> Result<std::vector<Account>> {
    const auto connection = database_->read();
    Query query(*connection, std::string(kAccountColumns) + " ORDER BY name");
    std::vector<Account> all;
    while (query.step()) all.push_back(read_account(query));
    return all;
  });
}

Result<Account> Accounts::find(std::string_view name) {
  return find_one(*database_, " WHERE name = ?", lowered(name));
}

Result<Account> Accounts::find_id(std::string_view id) {
  return find_one(*database_, " WHERE id = ?", id);
}

Result<std::optional<std::string>> Accounts::password_of(std::string_view name) {
  const std::string low = lowered(name);
  // PostgreSQL takes no zero bytes, nor what is no UTF-8; no account has such a name.
  if (!is_name(low)) return std::optional<std::string>();
  return guarded([&]() -> Result<std::optional<std::string>> {
    const auto connection = database_->read();
    Query query(*connection,
                "SELECT password FROM account WHERE name = ? AND disabled = 0 AND password IS NOT NULL");
    if (!query.bind(low).step()) return std::optional<std::string>();
    return std::optional(query.text(0));
  });
}

/// Runs `run`, which changes the account and tells how many rows it touched.
template <typename Change>
Result<Done> Accounts::change(bool keeps_admins, const Change& run) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection, kAdminsLock);
    if (run(*connection) == 0) return no_such("account");
    if (keeps_admins && !has_admin(*connection))
      return Error{ErrorCode::kInvalidArgument,
                   "this is the last admin: nobody could manage accounts any more"};
    transaction.commit();
    return Done{};
  });
}

Result<Done> Accounts::set_password(const std::string& id, const std::string& password,
                                    const std::string& kept) {
  return change(false, [&](Connection& connection) {
    Query query(connection, "UPDATE account SET password = ? WHERE id = ?");
    query.bind(password).bind(id).step();
    const auto touched = query.changes();
    end_sessions(connection, id, kept);
    return touched;
  });
}

Result<Done> Accounts::renew_password(const std::string& id, const std::string& password) {
  return change(false, [&](Connection& connection) {
    Query query(connection, "UPDATE account SET password = ? WHERE id = ?");
    query.bind(password).bind(id).step();
    return query.changes();
  });
}

Result<Done> Accounts::set_role(const std::string& id, Role role) {
  return change(true, [&](Connection& connection) {
    Query query(connection, "UPDATE account SET role = ? WHERE id = ?");
    query.bind(name(role)).bind(id).step();
    const auto touched = query.changes();
    end_sessions(connection, id);
    return touched;
  });
}

Result<Done> Accounts::set_disabled(const std::string& id, bool disabled) {
  return change(disabled, [&](Connection& connection) {
    Query query(connection, "UPDATE account SET disabled = ? WHERE id = ?");
    query.bind(disabled ? 1 : 0).bind(id).step();
    const auto touched = query.changes();
    if (disabled) end_sessions(connection, id);
    return touched;
  });
}

Result<Account> Accounts::of_subject(const std::string& issuer, const std::string& subject,
                                     std::string_view wanted, Role role) {
  return guarded([&]() -> Result<Account> {
    const auto connection = database_->write();
    Transaction transaction(*connection, kAdminsLock);
    Account account;
    {
      Query query(*connection, std::string(kAccountColumns) + " WHERE issuer = ? AND subject = ?");
      if (query.bind(issuer).bind(subject).step()) account = read_account(query);
    }
    if (account.disabled) return Error{ErrorCode::kUnusable, "this account is disabled"};
    if (account.id.empty()) {
      std::string base = lowered(wanted).substr(0, kMaxName - 8);
      std::ranges::replace_if(base, [](char c) { return !is_name({&c, 1}); }, '-');
      if (base.empty()) base = "user";
      account = {.id = make_uuid7(), .name = base, .role = role, .created_at = now_()};
      for (int i = 2; !insert(*connection, account, std::nullopt, issuer, subject); ++i) {
        if (i > 999) return Error{ErrorCode::kInvalidArgument, "there are too many accounts of this name"};
        account.name = base + "-" + std::to_string(i);
      }
    } else if (account.role != role) {
      Query(*connection, "UPDATE account SET role = ? WHERE id = ?").bind(name(role)).bind(account.id).step();
      end_sessions(*connection, account.id);
      account.role = role;
    }
    transaction.commit();
    return account;
  });
}

Result<std::string> Accounts::begin_session(const std::string& account_id) {
  return guarded([&]() -> Result<std::string> {
    std::string secret = make_secret();
    const auto connection = database_->write();
    Transaction transaction(*connection);
    // Nothing where the account was disabled meanwhile.
    Query query(
        *connection,
        "INSERT INTO session (hash, account_id, seen_at, expires_at)"
        " SELECT ?, id, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM account WHERE id = ? AND disabled = 0");
    query.bind(hash_secret(secret)).bind(now_()).bind(now_() + limits_.longest).bind(account_id).step();
    if (query.changes() == 0) return no_such("account");
    transaction.commit();
    return secret;
  });
}

Result<std::optional<Caller>> Accounts::of_session(std::string_view secret) {
  const std::string hash = hash_secret(secret);
  const std::int64_t now = now_();
  return guarded([&]() -> Result<std::optional<Caller>> {
    Caller caller;
    bool seen_again = false;
    {
      const auto connection = database_->read();
      Query query(
          *connection,
          "SELECT a.id, a.name, a.role, s.seen_at FROM session s JOIN account a ON a.id = s.account_id"
          " WHERE s.hash = ? AND a.disabled = 0 AND s.expires_at > ? AND s.seen_at > ?");
      if (!query.bind(hash).bind(now).bind(now - limits_.idle).step()) return std::optional<Caller>();
      caller = {.kind = Caller::Kind::kSession,
                .user_id = query.text(0),
                .user_name = query.text(1),
                .role = parse_role(query.text(2)).value(),
                .session = hash};
      seen_again = now - query.integer(3) >= kSeenAgain;
    }
    caller.csrf = hash_secret("csrf " + std::string(secret));
    if (seen_again) {
      const auto connection = database_->write();
      Transaction transaction(*connection);
      Query(*connection, "UPDATE session SET seen_at = ? WHERE hash = ?").bind(now).bind(hash).step();
      transaction.commit();
    }
    return std::optional(std::move(caller));
  });
}

Result<Done> Accounts::end_session(const std::string& hash) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection, "DELETE FROM session WHERE hash = ?").bind(hash).step();
    transaction.commit();
    return Done{};
  });
}

Result<Accounts::NewToken> Accounts::add_token(const std::string& account_id, std::string_view name,
                                               Scopes scopes, int days) {
  if (days < 1 || days > kMaxTokenDays)
    return Error{ErrorCode::kInvalidArgument,
                 "a token lasts 1 to " + std::to_string(kMaxTokenDays) + " days"};
  if (name.empty() || name.size() > kMaxName ||
      std::ranges::any_of(name, [](char c) { return c < ' ' || c > '~'; }))
    return Error{ErrorCode::kInvalidArgument, "the name of a token is 1 to 64 letters of ASCII"};
  const Result<Account> account = find_id(account_id);
  if (!account) return account.error();
  NewToken made;
  made.secret = std::string(kTokenPrefix) + make_secret();
  made.token = {.id = make_uuid7(),
                .account = account->name,
                .name = std::string(name),
                .scopes = scopes,
                .created_at = now_(),
                .expires_at = now_() + days * kDay};
  return guarded([&]() -> Result<NewToken> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query query(*connection,
                "INSERT INTO token (id, hash, account_id, name, scopes, created_at, expires_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)");
    const Token& token = made.token;
    query.bind(token.id).bind(hash_secret(made.secret)).bind(account_id).bind(token.name).bind(scopes.text());
    query.bind(token.created_at).bind(token.expires_at).step();
    transaction.commit();
    return made;
  });
}

Result<std::vector<Token>> Accounts::tokens(const std::optional<std::string>& account_id) {
  return guarded([&]() -> Result<std::vector<Token>> {
    const auto connection = database_->read();
    Query query(*connection, std::string(kTokenColumns) + (account_id ? " WHERE t.account_id = ?" : "") +
                                 " ORDER BY t.id");
    if (account_id) query.bind(*account_id);
    std::vector<Token> all;
    while (query.step()) all.push_back(read_token(query));
    return all;
  });
}

Result<Done> Accounts::revoke_token(const std::string& id, const std::optional<std::string>& account_id) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query query(*connection,
                std::string("DELETE FROM token WHERE id = ?") + (account_id ? " AND account_id = ?" : ""));
    query.bind(id);
    if (account_id) query.bind(*account_id);
    query.step();
    if (query.changes() == 0) return no_such("token");
    transaction.commit();
    return Done{};
  });
}

Result<std::optional<Caller>> Accounts::of_token(std::string_view secret) {
  if (!secret.starts_with(kTokenPrefix)) return std::optional<Caller>();
  return guarded([&]() -> Result<std::optional<Caller>> {
    const auto connection = database_->read();
    Query query(*connection,
                "SELECT a.id, a.name, a.role, t.scopes FROM token t JOIN account a ON a.id = t.account_id"
                " WHERE t.hash = ? AND a.disabled = 0 AND t.expires_at > ?");
    if (!query.bind(hash_secret(secret)).bind(now_()).step()) return std::optional<Caller>();
    return std::optional(Caller{.kind = Caller::Kind::kToken,
                                .user_id = query.text(0),
                                .user_name = query.text(1),
                                .role = parse_role(query.text(2)).value(),
                                .scopes = Scopes::parse(query.text(3)).value()});
  });
}

Result<Done> Accounts::add_belonging(const std::string& finding_id, const std::string& account_id,
                                     std::int64_t bytes) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection,
          "INSERT INTO belonging (finding_id, account_id, created_at, bytes) VALUES (?, ?, ?, ?)")
        .bind(finding_id)
        .bind(account_id)
        .bind(now_())
        .bind(bytes)
        .step();
    transaction.commit();
    return Done{};
  });
}

Result<Done> Accounts::remove_belonging(const std::string& finding_id) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection, "DELETE FROM belonging WHERE finding_id = ?").bind(finding_id).step();
    transaction.commit();
    return Done{};
  });
}

Result<std::string> Accounts::owner_of(const std::string& finding_id) {
  return guarded([&]() -> Result<std::string> {
    const auto connection = database_->read();
    Query query(*connection, "SELECT account_id FROM belonging WHERE finding_id = ?");
    return query.bind(finding_id).step() ? query.text(0) : std::string();
  });
}

Result<Belongings> Accounts::belongings(const std::string& account_id) {
  return guarded([&]() -> Result<Belongings> {
    const auto connection = database_->read();
    Query query(*connection,
                "SELECT CAST(count(CASE WHEN created_at > ? THEN 1 END) AS BIGINT),"
                " CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM belonging WHERE account_id = ?");
    query.bind(now_() - kDay).bind(account_id).step();
    return Belongings{.today = query.integer(0), .bytes = query.integer(1)};
  });
}

Result<Done> Accounts::record(std::vector<AuditEntry> entries) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    for (const AuditEntry& entry : entries)
      Query(*connection,
            "INSERT INTO audit (id, at, event, account, address, object, request_id) VALUES (?, ?, ?, ?, ?, "
            "?, ?)")
          .bind(make_uuid7())
          .bind(entry.at != 0 ? entry.at : now_())
          .bind(entry.event)
          .bind(entry.account)
          .bind(entry.address)
          .bind(entry.object)
          .bind(entry.request_id)
          .step();
    transaction.commit();
    return Done{};
  });
}

Result<std::vector<AuditEntry>> Accounts::audit(int limit, const std::optional<std::string>& before) {
  if (limit < 1 || limit > kMaxAuditPage)
    return Error{ErrorCode::kInvalidArgument,
                 "at most " + std::to_string(kMaxAuditPage) + " entries are told at one time"};
  return guarded([&]() -> Result<std::vector<AuditEntry>> {
    const auto connection = database_->read();
    Query query(*connection,
                std::string("SELECT id, at, event, account, address, object, request_id FROM audit") +
                    (before ? " WHERE id < ?" : "") + " ORDER BY id DESC LIMIT ?");
    if (before) query.bind(*before);
    query.bind(limit);
    std::vector<AuditEntry> page;
    while (query.step())
      page.push_back({query.text(0), query.integer(1), query.text(2), query.text(3), query.text(4),
                      query.text(5), query.text(6)});
    return page;
  });
}

Result<bool> Accounts::has_signed_in_from(std::string_view account, std::string_view address) {
  return guarded([&]() -> Result<bool> {
    const auto connection = database_->read();
    Query query(*connection,
                "SELECT 1 FROM audit WHERE account = ? AND event = ? AND at > ? AND address = ? LIMIT 1");
    query.bind(lowered(account)).bind(kSignIn).bind(now_() - kKnownAddressDays * kDay).bind(address);
    return query.step();
  });
}

Result<Done> Accounts::forget_old(int audit_days) {
  return guarded([&]() -> Result<Done> {
    const std::int64_t now = now_();
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection, "DELETE FROM session WHERE expires_at <= ? OR seen_at <= ?")
        .bind(now)
        .bind(now - limits_.idle)
        .step();
    Query(*connection, "DELETE FROM token WHERE expires_at <= ?").bind(now - 30 * kDay).step();
    Query(*connection, "DELETE FROM audit WHERE at <= ?").bind(now - audit_days * kDay).step();
    transaction.commit();
    return Done{};
  });
}

}  // namespace xray
