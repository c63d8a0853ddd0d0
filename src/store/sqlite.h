#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "common/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace xray::sqlite {

/// A failure of SQLite. It stays inside src/store: the Store's verbs turn it into an error with its code.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what, ErrorCode code = ErrorCode::kStorage)
      : std::runtime_error(what), code_(code) {}
  /// kBusy where another program holds the database, kIo where the disk has no room, else kStorage.
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// One connection and its prepared statements. Used by one thread at a time.
class Connection {
 public:
  /// Opens, or makes, the database file; ":memory:" lives as long as the connection.
  /// Waits up to 5 s for other processes' locks. Throws Failure.
  explicit Connection(const std::string& path);

  /// Runs statements that return nothing. Throws Failure.
  void execute(const char* sql);

  /// Whether the file is no longer where it was opened: what is written to it would be lost.
  bool has_moved() const;

 private:
  friend class Query;
  struct Close {
    void operator()(sqlite3* database) const;
    void operator()(sqlite3_stmt* statement) const;
  };
  sqlite3_stmt* prepare(std::string_view sql);

  std::unique_ptr<sqlite3, Close> database_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Close>, std::less<>> statements_;
};

/// One run of a prepared statement: bind values in order, step through rows, read
/// columns. At most one Query per statement and connection at a time. Throws Failure.
class Query {
 public:
  Query(Connection& connection, std::string_view sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::int64_t value);
  Query& bind(double value);
  Query& bind(std::string_view text);
  /// Not copied: the bytes must outlive the Query.
  Query& bind(std::span<const std::byte> blob);
  Query& bind(std::nullptr_t);

  /// True while there is a row; its columns stay valid until the next step.
  bool step();
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const;
  /// Rows that the last INSERT, UPDATE or DELETE of the connection touched.
  int changes() const;

 private:
  void check(int code) const;
  sqlite3* database_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

/// Commits only when told so; otherwise everything since its making is undone.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace xray::sqlite
