#include "store/sql.h"

#include <algorithm>
#include <charconv>

#include "store/postgres.h"
#include "store/sqlite.h"

namespace xray::sql {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr std::string_view kMigrationLock = "migrations";

/// Where `file` is for the other database.
bool is_for_other(const EmbeddedFile& file, Dialect dialect) {
  return file.path.ends_with(dialect == Dialect::kSqlite ? ".postgresql.sql" : ".sqlite.sql");
}

/// The version that a migration lifts to: the digits before the first underscore of its name.
std::int64_t version_of(const EmbeddedFile& file) {
  const std::string_view name = file.path.substr(file.path.rfind('/') + 1);
  std::int64_t version = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  if (error != std::errc() || version < 1 || *stop != '_')
    throw std::logic_error("a migration without a number: " + std::string(file.path));
  return version;
}

}  // namespace

Statement& Connection::statement(std::string_view sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return *known->second;
  return *statements_.emplace(std::string(sql), prepare(sql)).first->second;
}

std::string Query::text(int column) const {
  const auto bytes = blob(column);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Transaction::Transaction(Connection& connection, std::string_view lock) : connection_(connection) {
  connection_.begin(lock);
}

Transaction::~Transaction() {
  if (open_) connection_.rollback();
}

void Transaction::commit() {
  connection_.commit();
  open_ = false;
}

Pool::Lease Pool::acquire() {
  std::unique_lock lock(mutex_);
  if (!available_.wait_for(lock, kPatience, [this] { return lent_ < most_; }))
    throw Failure("all connections to the database are in use", ErrorCode::kBusy);
  ++lent_;
  std::unique_ptr<Connection> connection;
  while (!free_.empty() && !connection) {
    connection = std::move(free_.back());
    free_.pop_back();
    if (!connection->is_usable()) connection.reset();
  }
  lock.unlock();
  try {
    if (!connection) connection = make_();
  } catch (...) {
    give_back(nullptr);
    throw;
  }
  return {connection.release(),
          [this](Connection* returned) { give_back(std::unique_ptr<Connection>(returned)); }};
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (connection && !connection->is_usable()) connection.reset();
  const std::lock_guard guard(mutex_);
  --lent_;
  if (connection) free_.push_back(std::move(connection));
  available_.notify_one();
}

Result<std::unique_ptr<Database>> open_database(const std::string& url) {
  return guarded([&]() -> Result<std::unique_ptr<Database>> {
    if (sqlite::is_url(url)) return sqlite::open(url);
    if (postgres::is_url(url)) return postgres::open(url);
    return Error{ErrorCode::kInvalidArgument,
                 "a store is named as sqlite:PATH or postgresql://USER@HOST/DATABASE"};
  });
}

std::string label_of(const std::string& url) {
  return postgres::is_url(url) ? postgres::label_of(url) : url;
}

Result<Done> migrate(Database& database, std::string_view set, std::span<const EmbeddedFile> files) {
  return guarded([&]() -> Result<Done> {
    const auto connection = database.write();
    connection->take_time();
    Transaction transaction(*connection, kMigrationLock);
    database.adopt(*connection);
    const std::int64_t version = database.version(*connection, set);
    std::int64_t newest = 0;
    for (const EmbeddedFile& file : files) newest = std::max(newest, version_of(file));
    if (version > newest)
      throw Failure("the database was written by a newer xray (schema " + std::to_string(version) +
                    ", this program knows " + std::to_string(newest) + ")");
    if (version == newest) return Done{};
    for (const EmbeddedFile& file : files)
      if (version_of(file) > version && !is_for_other(file, database.dialect()))
        connection->execute(std::string(file.text()));
    database.set_version(*connection, set, newest);
    transaction.commit();
    return Done{};
  });
}

}  // namespace xray::sql
