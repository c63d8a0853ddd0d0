#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "common/clock.h"
#include "common/embedded.h"
#include "store/finding_codec.h"
#include "store/sqlite.h"
#include "store/store.h"
#include "store/together.h"
#include "store/uuid.h"

namespace xray {

/// migrations/*.sql, in the order of their names.
std::span<const EmbeddedFile> migration_files();

namespace {

using sqlite::Connection;
using sqlite::Failure;
using sqlite::Query;
using sqlite::Transaction;

constexpr std::string_view kScheme = "sqlite:";
constexpr std::string_view kMemory = ":memory:";
constexpr int kReaders = 4;
/// "xray" in the file's header, so that another program's database is never touched.
constexpr std::int64_t kApplicationId = 0x78726179;
constexpr std::string_view kColumns = "id, created_at, file_name, finding";

/// Connections that threads borrow, each for one verb. Thread-safe.
class Pool {
 public:
  using Lease = std::unique_ptr<Connection, std::function<void(Connection*)>>;

  void add(std::unique_ptr<Connection> connection) {
    free_.push_back(connection.get());
    owned_.push_back(std::move(connection));
  }

  /// Waits until a connection is free.
  Lease acquire() {
    std::unique_lock lock(mutex_);
    available_.wait(lock, [this] { return !free_.empty(); });
    Connection* const connection = free_.back();
    free_.pop_back();
    return {connection, [this](Connection* returned) {
              const std::lock_guard guard(mutex_);
              free_.push_back(returned);
              available_.notify_one();
            }};
  }

 private:
  std::mutex mutex_;
  std::condition_variable available_;
  std::vector<std::unique_ptr<Connection>> owned_;
  std::vector<Connection*> free_;
};

std::int64_t pragma(Connection& connection, std::string_view sql) {
  Query query(connection, sql);
  return query.step() ? query.integer(0) : 0;
}

/// Brings the schema up to date: migration N lifts a database from version N - 1,
/// all of them in one transaction, the version in SQLite's own user_version.
void migrate(Connection& connection) {
  const auto migrations = migration_files();
  const auto newest = static_cast<std::int64_t>(migrations.size());
  Transaction transaction(connection);
  const std::int64_t version = pragma(connection, "PRAGMA user_version");
  const std::int64_t application = pragma(connection, "PRAGMA application_id");
  const bool empty = pragma(connection, "SELECT count(*) FROM sqlite_schema") == 0;
  if (application != kApplicationId && !(application == 0 && version == 0 && empty))
    throw Failure("the file is not a database of xray");
  if (version > newest)
    throw Failure("the database was written by a newer xray (schema " + std::to_string(version) +
                  ", this program knows " + std::to_string(newest) + ")");
  if (version == newest) return;
  for (std::int64_t next = version; next < newest; ++next)
    connection.execute(std::string(migrations[static_cast<std::size_t>(next)].text()).c_str());
  connection.execute(("PRAGMA application_id = " + std::to_string(kApplicationId)).c_str());
  connection.execute(("PRAGMA user_version = " + std::to_string(newest)).c_str());
  transaction.commit();
}

std::unique_ptr<Connection> open_connection(const std::string& path) {
  auto connection = std::make_unique<Connection>(path);
  // synchronous FULL: a commit in WAL mode has reached the disk. secure_delete:
  // a removed picture is overwritten, not only forgotten. page_size, of a file that is made
  // anew: a picture of 250 KB in pages of 4 KB costs a third more time.
  connection->execute(
      "PRAGMA page_size = 32768; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = "
      "ON;"
      "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;");
  return connection;
}

Result<StoredFinding> read_row(const Query& row) {
  Result<Finding> finding = decode_finding(row.text(3));
  if (!finding) return finding.error();
  return StoredFinding{row.text(0), row.text(1), row.text(2), std::move(*finding)};
}

/// Runs a verb; what SQLite throws becomes an error.
template <typename Verb>
auto guarded(Verb verb) -> decltype(verb()) {
  try {
    return verb();
  } catch (const Failure& failure) {
    return Error{failure.code(), failure.what()};
  }
}

/// An open file that was deleted can be written to, until the program ends and it is gone.
void check_in_place(const Connection& connection) {
  if (connection.has_moved()) throw Failure("the database's file was removed or replaced");
}

Error no_such_finding() {
  return {ErrorCode::kNotFound, "there is no such finding"};
}

/// A finding on its way into the store.
struct Addition {
  StoredFinding finding;
  std::span<const std::byte> picture;
  std::optional<Error> error{};
};

void insert(Connection& connection, const Addition& addition) {
  const StoredFinding& stored = addition.finding;
  const Finding& finding = stored.finding;
  Query insert(connection,
               "INSERT INTO finding (id, created_at, file_name, verdict, normal, pneumonia,"
               " bacterial, viral, model, finding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(stored.id).bind(stored.created_at).bind(stored.file_name).bind(name(finding.verdict));
  if (finding.is_rejected())
    insert.bind(nullptr).bind(nullptr);
  else
    insert.bind(finding.normal).bind(finding.pneumonia);
  if (!finding.has_subtype())
    insert.bind(nullptr).bind(nullptr);
  else
    insert.bind(finding.bacterial).bind(finding.viral);
  insert.bind(finding.model).bind(encode_finding(finding)).step();
  Query(connection, "INSERT INTO picture (finding_id, bytes) VALUES (?, ?)")
      .bind(stored.id)
      .bind(addition.picture)
      .step();
}

/// Findings in one SQLite file. One connection writes, a few read beside it: in
/// WAL mode neither waits for the other.
class SqliteStore : public Store {
 public:
  explicit SqliteStore(const std::string& path) {
    writer_.add(open_connection(path));
    migrate(*writer_.acquire());
    // A database in memory belongs to its one connection.
    if (path == kMemory) return;
    for (int i = 0; i < kReaders; ++i) readers_.add(open_connection(path));
    reading_ = &readers_;
  }

  Result<StoredFinding> put(const Finding& finding, const std::string& file_name,
                            std::span<const std::byte> picture) override {
    const auto now = std::chrono::system_clock::now();
    Addition addition{{make_uuid7(now), rfc3339(now), file_name, finding}, picture};
    additions_.add(addition, [this](std::span<Addition* const> together) { commit(together); });
    if (addition.error) return *addition.error;
    return std::move(addition.finding);
  }

  Result<StoredFinding> get(const std::string& id) override {
    return guarded([&]() -> Result<StoredFinding> {
      const auto connection = reading_->acquire();
      Query query(*connection, "SELECT " + std::string(kColumns) + " FROM finding WHERE id = ?");
      if (!query.bind(id).step()) return no_such_finding();
      return read_row(query);
    });
  }

  Result<Bytes> picture(const std::string& id) override {
    return guarded([&]() -> Result<Bytes> {
      const auto connection = reading_->acquire();
      Query query(*connection, "SELECT bytes FROM picture WHERE finding_id = ?");
      if (!query.bind(id).step()) return no_such_finding();
      const auto bytes = query.blob(0);
      return Bytes(bytes.begin(), bytes.end());
    });
  }

  Result<FindingPage> list(int limit, const std::optional<std::string>& before) override {
    if (limit < 1 || limit > kMaxPage)
      return Error{ErrorCode::kInvalidArgument,
                   "the limit of a page is 1 to " + std::to_string(kMaxPage) + " findings"};
    return guarded([&]() -> Result<FindingPage> {
      const auto connection = reading_->acquire();
      const std::string select = "SELECT " + std::string(kColumns) + " FROM finding";
      // One row more than asked for tells whether there is a next page.
      Query query(*connection, select + (before ? " WHERE id < ?" : "") + " ORDER BY id DESC LIMIT ?");
      if (before) query.bind(*before);
      query.bind(std::int64_t{limit} + 1);
      FindingPage page;
      while (query.step()) {
        if (page.findings.size() == static_cast<std::size_t>(limit)) {
          page.next_before = page.findings.back().id;
          break;
        }
        Result<StoredFinding> row = read_row(query);
        if (!row) return row.error();
        page.findings.push_back(std::move(*row));
      }
      return page;
    });
  }

  Result<Done> remove(const std::string& id) override {
    return guarded([&]() -> Result<Done> {
      const auto connection = writer_.acquire();
      Query query(*connection, "DELETE FROM finding WHERE id = ?");
      query.bind(id).step();
      if (query.changes() == 0) return no_such_finding();
      return Done{};
    });
  }

  Result<Done> ping() override {
    return guarded([&]() -> Result<Done> {
      const auto connection = reading_->acquire();
      check_in_place(*connection);
      Query(*connection, "SELECT 1 FROM finding LIMIT 1").step();
      return Done{};
    });
  }

 private:
  static constexpr int kMaxPage = 200;

  /// Writes the findings in one transaction, or, where that fails, each in one of its own, so that
  /// nobody suffers for another's.
  void commit(std::span<Addition* const> together) {
    const auto write = [&](std::span<Addition* const> some) {
      return guarded([&]() -> Result<Done> {
        const auto connection = writer_.acquire();
        check_in_place(*connection);
        Transaction transaction(*connection);
        for (const Addition* addition : some) insert(*connection, *addition);
        transaction.commit();
        return Done{};
      });
    };
    const auto all = write(together);
    if (all) return;
    for (Addition* const& addition : together) {
      // Each would wait as long again for what another program holds.
      const bool again = together.size() > 1 && all.error().code != ErrorCode::kBusy;
      const auto written = again ? write({&addition, 1}) : all;
      if (!written) addition->error = written.error();
    }
  }

  Pool writer_;
  Pool readers_;
  Pool* reading_ = &writer_;
  Together<Addition> additions_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_store(const std::string& url) {
  if (!url.starts_with(kScheme) || url.size() == kScheme.size())
    return Error{ErrorCode::kInvalidArgument, "a store is named as sqlite:PATH"};
  const std::string path = url.substr(kScheme.size());
  if (path != kMemory) {
    // SQLite would let everybody read what it makes; patients' pictures are for the
    // owner alone. Where this fails, SQLite fails next and tells why.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) ::close(file);
  }
  return guarded([&]() -> Result<std::unique_ptr<Store>> {
    return std::unique_ptr<Store>(std::make_unique<SqliteStore>(path));
  });
}

}  // namespace xray
