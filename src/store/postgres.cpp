#include "store/postgres.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

namespace xray::sql::postgres {
namespace {

using Clock = std::chrono::steady_clock;

/// Uploads share one; the rest is for those who read.
constexpr std::size_t kConnections = 8;
/// What a statement may take; the server ends it a little earlier, and says so.
constexpr std::chrono::seconds kStatementTime{10};
/// While the server is away it is tried this often.
constexpr std::chrono::milliseconds kRetryAfter{250};
constexpr const char* kAway = "the database cannot be reached";

/// Wire numbers of types (the server's catalog, pg_type.dat).
enum Type : Oid {
  kBool = 16,
  kBytea = 17,
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kJson = 114,
  kFloat4 = 700,
  kFloat8 = 701,
  kVarchar = 1043,
};

struct Clear {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ResultPointer = std::unique_ptr<PGresult, Clear>;

/// The first line of what libpq says, without the end of line.
std::string first_line(const char* text) {
  const std::string_view said = text != nullptr ? text : "";
  return std::string(said.substr(0, said.find('\n')));
}

/// What a failed statement's SQLSTATE means for the caller (PostgreSQL's manual, appendix A).
ErrorCode code_of(std::string_view state) {
  const auto in = [state](std::string_view kind) { return state.starts_with(kind); };
  if (state == "53100") return ErrorCode::kIo;  // disk_full
  // Connection lost, resources used up, shut down or starting, deadlocks, timeouts, locks.
  if (in("08") || in("53") || in("57") || in("40") || in("55P03")) return ErrorCode::kBusy;
  // A standby took the place of the server: the next connection finds the new one.
  if (in("25006")) return ErrorCode::kBusy;
  return ErrorCode::kStorage;
}

template <typename Unsigned>
Unsigned from_network(const char* bytes) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    value = static_cast<Unsigned>((value << 8U) | static_cast<unsigned char>(bytes[i]));
  return value;
}

std::string to_string(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

class PostgresConnection;

/// Prepared by the server at its first run. Values go as text, of which the server makes what the place
/// asks for; blobs and all that comes back are binary.
class PostgresStatement final : public Statement {
 public:
  PostgresStatement(PostgresConnection& connection, std::string name, std::string_view sql)
      : connection_(connection), name_(std::move(name)), sql_(with_numbers(sql)) {}

  void bind(int parameter, std::int64_t value) override { set(parameter, std::to_string(value)); }
  void bind(int parameter, double value) override { set(parameter, to_string(value)); }
  void bind(int parameter, std::string_view text) override {
    if (text.find('\0') != std::string_view::npos) throw Failure("a text holds a zero byte");
    set(parameter, std::string(text));
  }
  void bind(int parameter, std::span<const std::byte> blob) override {
    if (blob.size() > std::numeric_limits<int>::max()) throw Failure("a blob is too large");
    Value& value = at(parameter);
    value = {.data = blob.empty()
                         ? ""
                         : reinterpret_cast<const char*>(blob.data()),  // NOLINT: bytes as libpq takes them
             .length = static_cast<int>(blob.size()),
             .is_binary = true};
  }
  void bind(int parameter, std::nullptr_t) override { at(parameter) = {}; }

  bool step() override;

  bool is_null(int column) const override { return PQgetisnull(result_.get(), row_, column) != 0; }
  std::int64_t integer(int column) const override;
  double real(int column) const override;
  std::span<const std::byte> bytes(int column) const override;
  std::int64_t changes() const override {
    const std::string_view count = PQcmdTuples(result_.get());
    std::int64_t value = 0;
    std::from_chars(count.data(), count.data() + count.size(), value);
    return value;
  }

  void reset() noexcept override {
    result_.reset();
    row_ = -1;
    values_.clear();
  }

 private:
  struct Value {
    const char* data = nullptr;  ///< of a blob; null where `text` has it
    int length = 0;
    bool is_binary = false;
    std::optional<std::string> text{};
  };

  Value& at(int parameter) {
    if (values_.size() <= static_cast<std::size_t>(parameter))
      values_.resize(static_cast<std::size_t>(parameter) + 1);
    return values_[static_cast<std::size_t>(parameter)];
  }
  void set(int parameter, std::string text) {
    Value& value = at(parameter);
    value = {};
    value.text = std::move(text);
  }
  const char* raw(int column) const { return PQgetvalue(result_.get(), row_, column); }
  [[noreturn]] void wrong_type(int column) const {
    throw Failure("column " + std::to_string(column) + " has a type that is not read (" +
                  std::to_string(PQftype(result_.get(), column)) + "): " + sql_);
  }

  PostgresConnection& connection_;
  const std::string name_;
  const std::string sql_;
  bool is_prepared_ = false;
  std::vector<Value> values_;
  ResultPointer result_;
  int row_ = -1;
};

/// Whether the server was there when it was last asked, for all connections.
class Presence {
 public:
  explicit Presence(std::string label) : label_(std::move(label)) {}

  void is_away(const std::string& why) {
    if (!away_.exchange(true)) spdlog::error("{} cannot be reached: {}", label_, why);
  }
  void is_there() {
    if (away_.exchange(false)) spdlog::info("{} is back", label_);
  }
  bool away() const { return away_; }

 private:
  const std::string label_;
  std::atomic<bool> away_{false};
};

class PostgresConnection final : public Connection {
 public:
  PostgresConnection(const std::string& url, Presence& presence) : presence_(presence) {
    const std::string sslmode = postgres::sslmode_of(url);
    // The URL may tell otherwise: what stands behind wins.
    const std::array<const char*, 10> keys = {"connect_timeout",
                                              "keepalives_idle",
                                              "keepalives_interval",
                                              "keepalives_count",
                                              "tcp_user_timeout",
                                              "fallback_application_name",
                                              "client_encoding",
                                              "sslmode",
                                              "dbname",
                                              nullptr};
    // An empty value is as none.
    const std::array<const char*, 10> values = {
        "3", "10", "3", "3", "10000", "xray", "UTF8", sslmode.c_str(), url.c_str(), nullptr};
    connection_.reset(PQconnectdbParams(keys.data(), values.data(), /*expand_dbname=*/1));
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      const std::string why = first_line(PQerrorMessage(connection_.get()));
      presence_.is_away(why);
      throw Failure(kAway, ErrorCode::kBusy);
    }
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
    PQsetnonblocking(connection_.get(), 1);
    const auto milliseconds = std::chrono::milliseconds(kStatementTime).count() - 500;
    // A program that stands still holds its locks no longer than this. Plans are made for the values at
    // hand: one for any verdict walks past a million findings to the few that were rejected. What was
    // acknowledged is on the disk, whatever the server's default.
    execute("SET statement_timeout = " + std::to_string(milliseconds) +
            "; SET idle_in_transaction_session_timeout = '20s'; SET plan_cache_mode = force_custom_plan;"
            " SET standard_conforming_strings = on; SET default_transaction_isolation = 'read committed';"
            " SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'");
    presence_.is_there();
  }

  void execute(const std::string& sql) override {
    send(PQsendQuery(connection_.get(), sql.c_str()));
    receive();
  }

  bool is_usable() override {
    // What the server said meanwhile is read: that it goes, or that it is gone.
    pollfd socket{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    while (is_whole() && ::poll(&socket, 1, 0) > 0)
      if (PQconsumeInput(connection_.get()) == 0) return false;
    return is_whole() && PQtransactionStatus(connection_.get()) == PQTRANS_IDLE;
  }

  void take_time() override { has_time_ = true; }

  /// What is asked under this name from now on.
  void prepare_statement(const std::string& name, const std::string& sql) {
    send(PQsendPrepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
    receive();
  }

  ResultPointer run(const std::string& name, std::span<const char* const> values,
                    std::span<const int> lengths, std::span<const int> formats) {
    send(PQsendQueryPrepared(connection_.get(), name.c_str(), static_cast<int>(values.size()), values.data(),
                             lengths.data(), formats.data(), /*resultFormat: binary*/ 1));
    return receive();
  }

 protected:
  std::unique_ptr<Statement> prepare(std::string_view sql) override {
    return std::make_unique<PostgresStatement>(*this, "s" + std::to_string(++prepared_), sql);
  }

  void begin(std::string_view lock) override {
    execute(has_time_ ? "BEGIN; SET LOCAL statement_timeout = 0" : "BEGIN");
    if (!lock.empty()) execute("SELECT pg_advisory_xact_lock(" + std::to_string(lock_number(lock)) + ")");
  }

  void commit() override {
    ResultPointer result;
    try {
      send(PQsendQuery(connection_.get(), "COMMIT"));
      result = receive();
    } catch (const Failure& failure) {
      // Said by a server that goes away, or by nobody: it may have been done before.
      if (!is_whole()) throw OutcomeUnknown(failure.what(), failure.code());
      throw;
    }
    if (std::string_view(PQcmdStatus(result.get())) != "COMMIT")
      throw Failure("a transaction was undone by the database");
    has_time_ = false;
  }

  void rollback() noexcept override {
    try {
      if (is_whole()) execute("ROLLBACK");
      has_time_ = false;
    } catch (const Failure&) {
      connection_.reset();
    }
  }

 private:
  bool is_whole() const { return connection_ && PQstatus(connection_.get()) == CONNECTION_OK; }

  /// The same for the same name in every process (FNV-1a).
  static std::int64_t lock_number(std::string_view lock) {
    std::uint64_t hash = 0xCBF29CE484222325U;
    for (const char c : "xray " + std::string(lock))
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    return std::bit_cast<std::int64_t>(hash);
  }

  [[noreturn]] void lose(const std::string& why) {
    presence_.is_away(why);
    connection_.reset();
    throw Failure(kAway, ErrorCode::kBusy);
  }

  /// Waits for the socket until `deadline`.
  void wait(short events, Clock::time_point deadline) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd socket{.fd = PQsocket(connection_.get()), .events = events, .revents = 0};
      const int ready =
          left <= 0 ? 0 : ::poll(&socket, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
      if (ready > 0) return;
      if (ready < 0 && errno != EINTR) lose("its socket cannot be waited for");
      if (ready == 0 && left <= 0) lose("it gave no answer in time");
    }
  }

  void send(int sent) {
    if (!connection_ || sent == 0)
      lose(connection_ ? first_line(PQerrorMessage(connection_.get())) : "the connection was lost");
  }

  /// The answer to what was sent: the last of its results. Throws for the first that tells of an error.
  ResultPointer receive() {
    const auto deadline = Clock::now() + (has_time_ ? std::chrono::hours(24) : kStatementTime);
    for (int more = 1; (more = PQflush(connection_.get())) != 0;) {
      if (more < 0) lose(first_line(PQerrorMessage(connection_.get())));
      wait(POLLIN | POLLOUT, deadline);
      if (PQconsumeInput(connection_.get()) == 0) lose(first_line(PQerrorMessage(connection_.get())));
    }
    ResultPointer last;
    ResultPointer failed;
    for (;;) {
      while (PQisBusy(connection_.get()) != 0) {
        wait(POLLIN, deadline);
        // Where it fails, PQgetResult tells, and may have a last word of the server.
        if (PQconsumeInput(connection_.get()) == 0) break;
      }
      ResultPointer next(PQgetResult(connection_.get()));
      if (!next) break;
      const ExecStatusType status = PQresultStatus(next.get());
      const bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
      if (!ok && !failed)
        failed = std::move(next);
      else
        last = std::move(next);
    }
    if (!is_whole())
      lose(first_line(failed ? PQresultErrorMessage(failed.get()) : PQerrorMessage(connection_.get())));
    if (failed) fail(failed.get());
    return last;
  }

  [[noreturn]] static void fail(const PGresult* failed) {
    const char* state = PQresultErrorField(failed, PG_DIAG_SQLSTATE);
    const char* message = PQresultErrorField(failed, PG_DIAG_MESSAGE_PRIMARY);
    const ErrorCode code = code_of(state != nullptr ? state : "");
    if (code == ErrorCode::kIo) throw Failure("the disk is full", code);
    throw Failure("the database: " + std::string(message != nullptr ? message : "it failed"), code);
  }

  Presence& presence_;
  std::unique_ptr<PGconn, Clear> connection_;
  int prepared_ = 0;
  bool has_time_ = false;
};

bool PostgresStatement::step() {
  if (!result_) {
    if (!is_prepared_) connection_.prepare_statement(name_, sql_);
    is_prepared_ = true;
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (const Value& value : values_) {
      values.push_back(value.text ? value.text->c_str() : value.data);
      lengths.push_back(value.length);
      formats.push_back(value.is_binary ? 1 : 0);
    }
    result_ = connection_.run(name_, values, lengths, formats);
  }
  return ++row_ < PQntuples(result_.get());
}

std::int64_t PostgresStatement::integer(int column) const {
  if (is_null(column)) return 0;
  switch (PQftype(result_.get(), column)) {
    case kBool:
      return *raw(column);
    case kInt2:
      return static_cast<std::int16_t>(from_network<std::uint16_t>(raw(column)));
    case kInt4:
      return static_cast<std::int32_t>(from_network<std::uint32_t>(raw(column)));
    case kInt8:
      return std::bit_cast<std::int64_t>(from_network<std::uint64_t>(raw(column)));
    default:
      wrong_type(column);
  }
}

double PostgresStatement::real(int column) const {
  if (is_null(column)) return 0;
  switch (PQftype(result_.get(), column)) {
    case kFloat4:
      return static_cast<double>(std::bit_cast<float>(from_network<std::uint32_t>(raw(column))));
    case kFloat8:
      return std::bit_cast<double>(from_network<std::uint64_t>(raw(column)));
    default:
      return static_cast<double>(integer(column));
  }
}

std::span<const std::byte> PostgresStatement::bytes(int column) const {
  if (is_null(column)) return {};
  switch (PQftype(result_.get(), column)) {
    case kBytea:
    case kName:
    case kText:
    case kJson:
    case kVarchar:
      return std::as_bytes(
          std::span(raw(column), static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))));
    default:
      wrong_type(column);
  }
}

std::int64_t number(Connection& connection, std::string_view sql) {
  Query query(connection, sql);
  return query.step() ? query.integer(0) : 0;
}

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(std::string url)
      : url_(std::move(url)),
        label_(postgres::label_of(url_)),
        presence_(label_),
        pool_(kConnections, [this] { return connect(); }) {
    // Whether it can be reached is told now.
    pool_.acquire();
  }

  Lease read() override { return pool_.acquire(); }
  Lease write() override { return pool_.acquire(); }
  Dialect dialect() const override { return Dialect::kPostgres; }
  std::string label() const override { return label_; }

 private:
  /// While the server is away, one at a time tries, and not all the time; the others are told at once.
  std::unique_ptr<Connection> connect() {
    std::unique_lock lock(connecting_, std::defer_lock);
    if (presence_.away() && (!lock.try_lock() || Clock::now() < next_try_.load()))
      throw Failure(kAway, ErrorCode::kBusy);
    try {
      return std::make_unique<PostgresConnection>(url_, presence_);
    } catch (const Failure&) {
      next_try_ = Clock::now() + kRetryAfter;
      throw;
    }
  }

  void adopt(Connection& connection) override {
    if (number(connection,
               "SELECT count(*) FROM pg_class WHERE relname = 'xray_schema' AND relkind = 'r'"
               " AND relnamespace = current_schema()::regnamespace") == 1)
      return;
    // What belongs to an extension is nobody's data.
    if (number(connection,
               "SELECT count(*) FROM pg_class AS c WHERE relkind IN ('r', 'p')"
               " AND relnamespace = current_schema()::regnamespace AND NOT EXISTS"
               " (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype = 'e')") != 0)
      throw Failure(
          "the database holds tables of another program: give xray a database, or a schema, of its own");
    connection.execute("CREATE TABLE xray_schema (part TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)");
  }

  std::int64_t version(Connection& connection, std::string_view set) override {
    Query query(connection, "SELECT version FROM xray_schema WHERE part = ?");
    return query.bind(set).step() ? query.integer(0) : 0;
  }

  void set_version(Connection& connection, std::string_view set, std::int64_t version) override {
    Query(connection,
          "INSERT INTO xray_schema VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET version = excluded.version")
        .bind(set)
        .bind(version)
        .step();
  }

  const std::string url_;
  const std::string label_;
  Presence presence_;
  std::mutex connecting_;
  std::atomic<Clock::time_point> next_try_{Clock::time_point{}};
  Pool pool_;
};

/// Parts of a URL by libpq's names; nothing where it cannot be read.
std::optional<std::map<std::string, std::string>> parse(const std::string& url) {
  // libpq would take what follows the first @ for a host, and tell it in its errors.
  const std::size_t begin = url.find("//") + 2;
  const std::string authority = url.substr(begin, url.find_first_of("/?", begin) - begin);
  if (std::ranges::count(authority, '@') > 1) return std::nullopt;
  const std::unique_ptr<PQconninfoOption, Clear> options(PQconninfoParse(url.c_str(), nullptr));
  if (!options) return std::nullopt;
  std::map<std::string, std::string> parts;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) parts[option->keyword] = option->val;
  if (parts["port"].find_first_not_of("0123456789,") != std::string::npos) return std::nullopt;
  return parts;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing changes it
  return value != nullptr ? value : "";
}

/// What libpq takes for a host: a name, an address, a socket's folder, or nothing, its own choice.
bool is_this_machine(const std::string& host) {
  if (host.empty() || host.starts_with('/') || host.starts_with('@') || host == "localhost") return true;
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24U) == 127;
  in6_addr six{};
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/// "a,b," -> "a", "b", "".
std::vector<std::string> hosts_in(const std::string& list) {
  std::vector<std::string> hosts;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    hosts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return hosts;
}

}  // namespace

bool is_url(const std::string& url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

std::string sslmode_of(const std::string& url) {
  auto parts = parse(url);
  if (!parts || !(*parts)["sslmode"].empty() || !environment("PGSSLMODE").empty()) return {};
  if (!(*parts)["service"].empty() || !environment("PGSERVICE").empty()) return {};
  const auto given = [&](const char* name, const char* variable) {
    return hosts_in((*parts)[name].empty() ? environment(variable) : (*parts)[name]);
  };
  std::vector<std::string> hosts = given("hostaddr", "PGHOSTADDR");
  // A host without an address is found by its name.
  if (std::ranges::count(hosts, "") > 0)
    std::ranges::move(given("host", "PGHOST"), std::back_inserter(hosts));
  return std::ranges::all_of(hosts, is_this_machine) ? "" : "require";
}

std::string label_of(const std::string& url) {
  auto parts = parse(url);
  if (!parts) return "postgresql://";
  const auto with = [&](const char* name, const char* before, const char* behind) {
    const std::string& part = (*parts)[name];
    return part.empty() ? "" : before + part + behind;
  };
  return "postgresql://" + with("user", "", "@") + with("host", "", "") + with("port", ":", "") +
         with("dbname", "/", "");
}

Result<std::unique_ptr<Database>> open(const std::string& url) {
  if (!parse(url))
    return Error{ErrorCode::kInvalidArgument,
                 "the database's URL cannot be read (signs in a password such as @, / and : are written as "
                 "%40, %2F and %3A)"};
  return std::unique_ptr<Database>(std::make_unique<PostgresDatabase>(url));
}

std::string with_numbers(std::string_view sql) {
  std::string numbered;
  int count = 0;
  for (std::size_t i = 0; i < sql.size();) {
    std::size_t end = i + 1;
    if (sql[i] == '\'' || sql[i] == '"')
      end = sql.find(sql[i], i + 1) + 1;
    else if (sql.substr(i, 2) == "--")
      end = sql.find('\n', i);
    else if (sql[i] == '?') {
      numbered += "$" + std::to_string(++count);
      ++i;
      continue;
    }
    // Nothing that ends it: the server will say so.
    if (end == 0 || end == std::string_view::npos) end = sql.size();
    numbered += sql.substr(i, end - i);
    i = end;
  }
  return numbered;
}

}  // namespace xray::sql::postgres
