#include "store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace xray::sql::sqlite {
namespace {

constexpr std::string_view kScheme = "sqlite:";
constexpr std::string_view kMemory = ":memory:";
constexpr int kBusyMilliseconds = 5'000;
constexpr std::size_t kReaders = 4;
/// "xray" in the file's header, so that another program's database is never touched.
constexpr std::int64_t kApplicationId = 0x78726179;
/// The set of tables whose version stands in the file's header: once there was no other.
constexpr std::string_view kFirstSet = "findings";

/// A disk, a quota or a limit on files' sizes that is used up.
bool is_no_space(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

[[noreturn]] void fail(sqlite3* database, int code) {
  // SQLite's own sqlite3_system_errno() is not set where COMMIT fails.
  if ((code & 0xFF) == SQLITE_IOERR && is_no_space(errno)) code = SQLITE_FULL;
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
      throw Failure("the file is not a database of xray");
    case SQLITE_CORRUPT:
      throw Failure("the database is damaged");
    case SQLITE_FULL:
      throw Failure("the disk is full", ErrorCode::kIo);
    case SQLITE_BUSY:
      throw Failure("the database is in use by another program", ErrorCode::kBusy);
    default:
      throw Failure(database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  }
}

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(sqlite3* database, std::string_view sql) : database_(database) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    statement_.reset(statement);
    check(code);
  }

  void bind(int parameter, std::int64_t value) override {
    check(sqlite3_bind_int64(statement_.get(), parameter + 1, value));
  }
  void bind(int parameter, double value) override {
    check(sqlite3_bind_double(statement_.get(), parameter + 1, value));
  }
  void bind(int parameter, std::string_view text) override {
    // SQLITE_TRANSIENT is a cast of -1 to a pointer, which the macro writes in C's way.
    const auto copy = reinterpret_cast<sqlite3_destructor_type>(-1);  // NOLINT
    // A null pointer would bind NULL, not an empty text.
    const char* data = text.empty() ? "" : text.data();
    check(sqlite3_bind_text64(statement_.get(), parameter + 1, data, text.size(), copy, SQLITE_UTF8));
  }
  void bind(int parameter, std::span<const std::byte> blob) override {
    const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
    check(sqlite3_bind_blob64(statement_.get(), parameter + 1, data, blob.size(), SQLITE_STATIC));
  }
  void bind(int parameter, std::nullptr_t) override {
    check(sqlite3_bind_null(statement_.get(), parameter + 1));
  }

  bool step() override {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail(database_, code);
    return false;
  }

  bool is_null(int column) const override {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_.get(), column); }
  double real(int column) const override { return sqlite3_column_double(statement_.get(), column); }
  std::span<const std::byte> bytes(int column) const override {
    const void* data = sqlite3_column_blob(statement_.get(), column);
    return {static_cast<const std::byte*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
  }
  std::int64_t changes() const override { return sqlite3_changes64(database_); }

  void reset() noexcept override {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) fail(database_, code);
  }

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Close> statement_;
};

class SqliteConnection final : public Connection {
 public:
  explicit SqliteConnection(const std::string& path) {
    sqlite3* database = nullptr;
    const int code = sqlite3_open_v2(
        path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    database_.reset(database);
    if (code != SQLITE_OK) fail(database, code);
    sqlite3_extended_result_codes(database, 1);
    sqlite3_busy_timeout(database, kBusyMilliseconds);
    // synchronous FULL: a commit in WAL mode has reached the disk. secure_delete:
    // a removed picture is overwritten, not only forgotten. page_size, of a file that is made
    // anew: a picture of 250 KB in pages of 4 KB costs a third more time.
    execute("PRAGMA page_size = 32768");
    enter_wal();
    execute(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
        " PRAGMA trusted_schema = OFF;");
  }

  void execute(const std::string& sql) override {
    const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(database_.get(), code);
  }

  /// An open file that was deleted can be written to, until the program ends and it is gone.
  void check_in_place() {
    int moved = 0;
    // A database in memory knows nothing of it, and stays where it is.
    const int code = sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (code == SQLITE_OK && moved != 0) throw Failure("the database's file was removed or replaced");
  }

 protected:
  std::unique_ptr<Statement> prepare(std::string_view sql) override {
    return std::make_unique<SqliteStatement>(database_.get(), sql);
  }

  // IMMEDIATE takes the write lock now, which serves as any other: a lock upgraded later may fail
  // without waiting.
  void begin(std::string_view /*lock*/) override { execute("BEGIN IMMEDIATE"); }
  void commit() override { execute("COMMIT"); }
  // Some failures (a full disk) have rolled back already.
  void rollback() noexcept override { sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr); }

 private:
  /// The one statement for which SQLite does not wait where others are at it.
  void enter_wal() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kBusyMilliseconds);
    for (;;) {
      try {
        return execute("PRAGMA journal_mode = WAL");
      } catch (const Failure& failure) {
        if (failure.code() != ErrorCode::kBusy || std::chrono::steady_clock::now() > deadline) throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::unique_ptr<sqlite3, Close> database_;
};

std::int64_t number(Connection& connection, std::string_view sql) {
  Query query(connection, sql);
  return query.step() ? query.integer(0) : 0;
}

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(std::string path)
      : path_(std::move(path)),
        writer_(1, [this] { return std::make_unique<SqliteConnection>(path_); }),
        readers_(kReaders, [this] { return std::make_unique<SqliteConnection>(path_); }) {
    // What cannot be opened is told now. A database in memory belongs to its one connection.
    if (path_ == kMemory) reading_ = &writer_;
    writer_.acquire();
  }

  Lease read() override { return in_place(reading_->acquire()); }
  Lease write() override { return in_place(writer_.acquire()); }
  Dialect dialect() const override { return Dialect::kSqlite; }
  std::string label() const override { return std::string(kScheme) + path_; }

 private:
  static Lease in_place(Lease lease) {
    static_cast<SqliteConnection&>(*lease).check_in_place();
    return lease;
  }

  void adopt(Connection& connection) override {
    const std::int64_t version = number(connection, "PRAGMA user_version");
    const std::int64_t application = number(connection, "PRAGMA application_id");
    const bool empty = number(connection, "SELECT count(*) FROM sqlite_schema") == 0;
    if (application != kApplicationId && !(application == 0 && version == 0 && empty))
      throw Failure("the file is not a database of xray");
    connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId));
  }

  std::int64_t version(Connection& connection, std::string_view set) override {
    if (set == kFirstSet) return number(connection, "PRAGMA user_version");
    connection.execute(
        "CREATE TABLE IF NOT EXISTS xray_schema (part TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)");
    Query query(connection, "SELECT version FROM xray_schema WHERE part = ?");
    return query.bind(set).step() ? query.integer(0) : 0;
  }

  void set_version(Connection& connection, std::string_view set, std::int64_t version) override {
    if (set == kFirstSet) {
      connection.execute("PRAGMA user_version = " + std::to_string(version));
      return;
    }
    Query(connection,
          "INSERT INTO xray_schema VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET version = excluded.version")
        .bind(set)
        .bind(version)
        .step();
  }

  const std::string path_;
  Pool writer_;
  Pool readers_;
  Pool* reading_ = &readers_;
};

}  // namespace

bool is_url(const std::string& url) {
  return url.starts_with(kScheme) && url.size() > kScheme.size();
}

Result<std::unique_ptr<Database>> open(const std::string& url) {
  const std::string path = url.substr(kScheme.size());
  if (path != kMemory) {
    // SQLite would let everybody read what it makes; patients' pictures are for the
    // owner alone. Where this fails, SQLite fails next and tells why.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
  }
  return std::unique_ptr<Database>(std::make_unique<SqliteDatabase>(path));
}

}  // namespace xray::sql::sqlite
