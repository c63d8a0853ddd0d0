#include "store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>

namespace xray::sqlite {
namespace {

constexpr int kBusyMilliseconds = 5'000;

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

}  // namespace

void Connection::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}
void Connection::Close::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Connection::Connection(const std::string& path) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) fail(database, code);
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, kBusyMilliseconds);
}

void Connection::execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(database_.get(), code);
}

bool Connection::has_moved() const {
  int moved = 0;
  // A database in memory knows nothing of it, and stays where it is.
  const int code = sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code == SQLITE_OK && moved != 0;
}

sqlite3_stmt* Connection::prepare(std::string_view sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second.get();
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) fail(database_.get(), code);
  statements_[std::string(sql)].reset(statement);
  return statement;
}

Query::Query(Connection& connection, std::string_view sql)
    : database_(connection.database_.get()), statement_(connection.prepare(sql)) {}

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::check(int code) const {
  if (code != SQLITE_OK) fail(database_, code);
}

Query& Query::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Query& Query::bind(double value) {
  check(sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

Query& Query::bind(std::string_view text) {
  // SQLITE_TRANSIENT is a cast of -1 to a pointer, which the macro writes in C's way.
  const auto copy = reinterpret_cast<sqlite3_destructor_type>(-1);  // NOLINT
  check(sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), copy, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(std::span<const std::byte> blob) {
  // A null pointer would bind NULL, not an empty blob.
  const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
  check(sqlite3_bind_blob64(statement_, ++bound_, data, blob.size(), SQLITE_STATIC));
  return *this;
}

Query& Query::bind(std::nullptr_t) {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(database_, code);
  return false;
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Query::text(int column) const {
  const auto bytes = blob(column);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> Query::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  return {static_cast<const std::byte*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

int Query::changes() const {
  return sqlite3_changes(database_);
}

Transaction::Transaction(Connection& connection) : connection_(connection) {
  // IMMEDIATE takes the write lock now: a lock upgraded later may fail without waiting.
  connection_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    connection_.execute("ROLLBACK");
  } catch (const Failure&) {
    // Some failures (a full disk) have rolled back already.
    open_ = false;
  }
}

void Transaction::commit() {
  connection_.execute("COMMIT");
  open_ = false;
}

}  // namespace xray::sqlite
