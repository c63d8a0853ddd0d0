#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/embedded.h"
#include "common/result.h"

/// Two databases behind one narrow seam, so that whatever keeps rows is written once:
///
///     auto database = sql::open_database(url);                        // "sqlite:PATH", "postgresql://..."
///     auto done = sql::migrate(**database, "study", study_files());   // its own tables, up to date
///     return sql::guarded([&]() -> Result<Done> {
///       const auto connection = (*database)->write();
///       sql::Transaction transaction(*connection);
///       sql::Query claim(*connection, "UPDATE trial SET state = 'running' WHERE id = ? AND state = 'new'");
///       claim.bind(id).step();
///       if (claim.changes() == 0) return Error{ErrorCode::kNotFound, "somebody else has it"};
///       transaction.commit();
///       return Done{};
///     });
///
/// SQL is what both understand: `?` for values; ON CONFLICT ... DO NOTHING or DO UPDATE; RETURNING;
/// the types TEXT, BIGINT, DOUBLE PRECISION and (in files of their own) BLOB or BYTEA. In PostgreSQL
/// INTEGER has 32 bits and REAL is a float; sum() over BIGINT has to be cast back to BIGINT.
namespace xray::sql {

enum class Dialect { kSqlite, kPostgres };

/// A failure of the database. It stays inside the stores: guarded() turns it into an error.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what, ErrorCode code = ErrorCode::kStorage)
      : std::runtime_error(what), code_(code) {}
  /// kBusy where it may work later (another program holds the database, the server is away, a deadlock);
  /// kIo where the disk has no room; else kStorage.
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// The answer to a COMMIT never came: what was done since BEGIN may be there, now or soon, or may not.
class OutcomeUnknown : public Failure {
 public:
  using Failure::Failure;
};

/// A driver's prepared statement. Columns and parameters are counted from 0.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual void bind(int parameter, std::int64_t value) = 0;
  virtual void bind(int parameter, double value) = 0;
  virtual void bind(int parameter, std::string_view text) = 0;
  virtual void bind(int parameter, std::span<const std::byte> blob) = 0;
  virtual void bind(int parameter, std::nullptr_t) = 0;
  virtual bool step() = 0;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::span<const std::byte> bytes(int column) const = 0;
  virtual std::int64_t changes() const = 0;
  /// Forgets rows and values.
  virtual void reset() noexcept = 0;
};

/// One connection and its prepared statements. Used by one thread at a time. All throw Failure.
class Connection {
 public:
  Connection() = default;
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs statements that take and return nothing.
  virtual void execute(const std::string& sql) = 0;

  /// Whether it can be used on; what cannot is not given out again. Throws nothing.
  virtual bool is_usable() { return true; }
  /// The next transaction may take as long as it takes.
  virtual void take_time() {}

 protected:
  virtual std::unique_ptr<Statement> prepare(std::string_view sql) = 0;
  virtual void begin(std::string_view lock) = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;

 private:
  friend class Query;
  friend class Transaction;
  Statement& statement(std::string_view sql);

  std::map<std::string, std::unique_ptr<Statement>, std::less<>> statements_;
};

/// One run of a prepared statement: bind values in order, step through rows, read columns. At most one
/// Query of the same text and connection at a time. Throws Failure.
class Query {
 public:
  /// `sql` is a text of the program's own; statements are kept for as long as the connection.
  Query(Connection& connection, std::string_view sql) : statement_(connection.statement(sql)) {}
  ~Query() { statement_.reset(); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  template <std::integral Integer>
  Query& bind(Integer value) {
    return bind_next(static_cast<std::int64_t>(value));
  }
  Query& bind(double value) { return bind_next(value); }
  /// UTF-8; PostgreSQL takes no zero bytes.
  Query& bind(std::string_view text) { return bind_next(text); }
  Query& bind(const char* text) { return bind_next(std::string_view(text)); }
  /// Not copied: the bytes must outlive the Query.
  Query& bind(std::span<const std::byte> blob) { return bind_next(blob); }
  Query& bind(std::nullptr_t) { return bind_next(nullptr); }
  template <typename T>
  Query& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind(nullptr);
  }

  /// Runs the statement, then goes from row to row: true while there is one. Blobs stay valid until the
  /// next step.
  bool step() { return statement_.step(); }
  bool is_null(int column) const { return statement_.is_null(column); }
  /// 0 for NULL; as are 0.0, "" and no bytes below. The column's type has to fit.
  std::int64_t integer(int column) const { return statement_.integer(column); }
  double real(int column) const { return statement_.real(column); }
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const { return statement_.bytes(column); }
  /// Rows that this INSERT, UPDATE or DELETE touched, once step() has returned false.
  std::int64_t changes() const { return statement_.changes(); }

 private:
  template <typename T>
  Query& bind_next(T value) {
    statement_.bind(bound_++, value);
    return *this;
  }

  Statement& statement_;
  int bound_ = 0;
};

/// Commits only when told so; otherwise everything since its making is undone.
///
/// In SQLite one transaction follows the other. In PostgreSQL they run side by side and each statement
/// sees what was committed before it (READ COMMITTED): what was read may have changed by the time of a
/// write. Either write with a condition and look at changes(), or name a `lock`: transactions
/// with the same one follow each other there, too, in all processes.
class Transaction {
 public:
  explicit Transaction(Connection& connection, std::string_view lock = {});
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  /// Throws OutcomeUnknown where the server went away meanwhile.
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

/// Connections that threads borrow, each for one verb; made when they are first needed. Thread-safe.
class Pool {
 public:
  using Lease = std::unique_ptr<Connection, std::function<void(Connection*)>>;
  using Make = std::function<std::unique_ptr<Connection>()>;

  Pool(std::size_t most, Make make) : most_(most), make_(std::move(make)) {}

  /// Waits for a connection, at most half a minute; then throws kBusy. Throws what `make` throws.
  Lease acquire();

 private:
  void give_back(std::unique_ptr<Connection> connection);

  std::mutex mutex_;
  std::condition_variable available_;
  const std::size_t most_;
  std::size_t lent_ = 0;
  std::vector<std::unique_ptr<Connection>> free_;
  Make make_;
};

/// A database, with connections to it. Thread-safe. Outlives its leases.
class Database {
 public:
  using Lease = Pool::Lease;

  Database() = default;
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// A connection to read with; never waits for writers. Who holds one asks for no other. Throws Failure.
  virtual Lease read() = 0;
  /// A connection to write with: one at a time in SQLite, several in PostgreSQL. Throws Failure.
  virtual Lease write() = 0;

  virtual Dialect dialect() const = 0;
  /// Its URL without any secret, for people.
  virtual std::string label() const = 0;

 private:
  friend Result<Done> migrate(Database& database, std::string_view set, std::span<const EmbeddedFile> files);
  /// Within the transaction that migrates. Refuses what is another program's.
  virtual void adopt(Connection& connection) = 0;
  virtual std::int64_t version(Connection& connection, std::string_view set) = 0;
  virtual void set_version(Connection& connection, std::string_view set, std::int64_t version) = 0;
};

/// Opens the database of `url`:
///   sqlite:PATH                 the file is made if need be, for its owner alone;
///   sqlite::memory:             lives as long as the object; reads and writes share its one connection;
///   postgresql://, postgres://  as libpq reads it, with its environment (PGSSLROOTCERT and so on).
/// kInvalidArgument for another scheme or a URL that cannot be read; kBusy where the server cannot be
/// reached; kStorage. No error tells the password.
Result<std::unique_ptr<Database>> open_database(const std::string& url);

/// `url` as Database::label() tells it, also where it cannot be opened.
std::string label_of(const std::string& url);

/// Lifts the tables of one `set` ("findings", "study", ...) to their newest version, in one transaction
/// in which all other servers wait. A file is NNNN_name.sql, or NNNN_name.sqlite.sql and
/// NNNN_name.postgresql.sql where the two have to differ; NNNN is the version that it lifts to. Several
/// sets share a database; each has its own versions. kStorage where the database is newer than the files,
/// or another program's.
Result<Done> migrate(Database& database, std::string_view set, std::span<const EmbeddedFile> files);

/// Runs a verb; what the database throws becomes an error.
template <typename Verb>
auto guarded(Verb verb) -> decltype(verb()) {
  try {
    return verb();
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  }
}

}  // namespace xray::sql
