#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/embedded.h"
#include "store/finding_codec.h"
#include "store/sql.h"
#include "store/store.h"
#include "store/together.h"
#include "store/uuid.h"

namespace xray {

/// migrations/*.sql, in the order of their names.
std::span<const EmbeddedFile> migration_files();

namespace {

using sql::Connection;
using sql::Failure;
using sql::guarded;
using sql::Query;
using sql::Transaction;

constexpr std::string_view kColumns = "id, created_at, file_name, finding";
/// Behind every id: they are of hexadecimal digits.
constexpr const char* kPastAllIds = "g";
constexpr const char* kDelete = "DELETE FROM finding WHERE id = ?";
constexpr const char* kUnlessThere = " ON CONFLICT DO NOTHING";

/// For as long, a write whose outcome is not known is tried again.
constexpr std::chrono::seconds kDoubt{3};
constexpr std::chrono::milliseconds kPause{50};

Result<StoredFinding> read_row(const Query& row) {
  Result<Finding> finding = decode_finding(row.text(3));
  if (!finding) return finding.error();
  return StoredFinding{row.text(0), row.text(1), row.text(2), std::move(*finding)};
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

/// Writes the finding; where it may be there already (`again`), what is there stays.
void insert_finding(Connection& connection, const StoredFinding& stored, bool again) {
  const Finding& finding = stored.finding;
  constexpr const char* kInsert =
      "INSERT INTO finding (id, created_at, file_name, verdict, normal, pneumonia,"
      " bacterial, viral, model, finding) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  Query insert(connection, kInsert + std::string(again ? kUnlessThere : ""));
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
}

void insert(Connection& connection, const Addition& addition, bool again) {
  insert_finding(connection, addition.finding, again);
  constexpr const char* kInsert = "INSERT INTO picture (finding_id, bytes) VALUES (?, ?)";
  Query(connection, kInsert + std::string(again ? kUnlessThere : ""))
      .bind(addition.finding.id)
      .bind(addition.picture)
      .step();
}

/// Findings in a database.
class FindingStore : public Store {
 public:
  explicit FindingStore(std::shared_ptr<sql::Database> database) : database_(std::move(database)) {}

  Result<StoredFinding> put(const Finding& finding, const std::string& file_name,
                            std::span<const std::byte> picture) override {
    const std::string id = make_uuid7();
    Addition addition{{id, rfc3339(uuid7_time(id)), file_name, finding}, picture};
    additions_.add(addition, [this](std::span<Addition* const> together) { commit(together); });
    if (addition.error) return *addition.error;
    return std::move(addition.finding);
  }

  Result<StoredFinding> get(const std::string& id) override {
    return guarded([&]() -> Result<StoredFinding> {
      const auto connection = database_->read();
      Query query(*connection, "SELECT " + std::string(kColumns) + " FROM finding WHERE id = ?");
      if (!query.bind(id).step()) return no_such_finding();
      return read_row(query);
    });
  }

  Result<Bytes> picture(const std::string& id) override {
    return guarded([&]() -> Result<Bytes> {
      const auto connection = database_->read();
      Query query(*connection, "SELECT bytes FROM picture WHERE finding_id = ?");
      if (!query.bind(id).step()) return no_such_finding();
      const auto bytes = query.blob(0);
      return Bytes(bytes.begin(), bytes.end());
    });
  }

  Result<FindingPage> list(const FindingQuery& wanted) override {
    const int limit = wanted.limit;
    if (limit < 1 || limit > kMaxPage)
      return Error{ErrorCode::kInvalidArgument,
                   "the limit of a page is 1 to " + std::to_string(kMaxPage) + " findings"};
    return guarded([&]() -> Result<FindingPage> {
      // Ids are in the order of time: a span of time is one of ids.
      std::optional<std::string> below = wanted.before;
      if (wanted.to) below = std::min(below.value_or(kPastAllIds), first_uuid7(*wanted.to));
      std::string where;
      const auto require = [&where](bool given, const char* condition) {
        if (given) where += (where.empty() ? " WHERE " : " AND ") + std::string(condition);
      };
      require(wanted.verdict.has_value(), "verdict = ?");
      require(below.has_value(), "id < ?");
      require(wanted.from.has_value(), "id >= ?");

      const auto connection = database_->read();
      Query query(*connection,
                  "SELECT " + std::string(kColumns) + " FROM finding" + where + " ORDER BY id DESC LIMIT ?");
      if (wanted.verdict) query.bind(name(*wanted.verdict));
      if (below) query.bind(*below);
      if (wanted.from) query.bind(first_uuid7(*wanted.from));
      // One row more than asked for tells whether there is a next page.
      query.bind(limit + 1);
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
      const auto connection = database_->write();
      Query query(*connection, kDelete);
      query.bind(id).step();
      if (query.changes() == 0) return no_such_finding();
      return Done{};
    });
  }

  Result<Done> ping() override {
    return guarded([&]() -> Result<Done> {
      undo_doubtful();
      const auto connection = database_->read();
      Query(*connection, "SELECT 1 FROM finding LIMIT 1").step();
      return Done{};
    });
  }

 private:
  static constexpr int kMaxPage = 200;

  /// Writes the findings in one transaction, or, where that fails, each in one of its own, so that
  /// nobody suffers for another's.
  void commit(std::span<Addition* const> together) {
    const auto all = write(together);
    if (all) return;
    for (Addition* const& addition : together) {
      // Each would wait as long again for what another program holds.
      const bool again = together.size() > 1 && all.error().code != ErrorCode::kBusy;
      const auto written = again ? write({&addition, 1}) : all;
      if (!written) addition->error = written.error();
    }
  }

  /// In one transaction. Where the server went away while it committed, it is tried again: whether the
  /// findings are there by then or not, they are there once. What stays unknown is told as a failure, and
  /// made true by undo_doubtful().
  Result<Done> write(std::span<Addition* const> additions) {
    const auto deadline = std::chrono::steady_clock::now() + kDoubt;
    for (bool in_doubt = false;; std::this_thread::sleep_for(kPause)) {
      Error error;
      try {
        undo_doubtful();
        const auto connection = database_->write();
        Transaction transaction(*connection);
        for (const Addition* addition : additions) insert(*connection, *addition, in_doubt);
        transaction.commit();
        return Done{};
      } catch (const sql::OutcomeUnknown& failure) {
        in_doubt = true;
        error = {failure.code(), failure.what()};
      } catch (const Failure& failure) {
        error = {failure.code(), failure.what()};
      }
      if (in_doubt && std::chrono::steady_clock::now() < deadline) continue;
      if (in_doubt) doubt(additions);
      return error;
    }
  }

  void doubt(std::span<Addition* const> additions) {
    const std::lock_guard lock(doubtful_mutex_);
    for (const Addition* addition : additions) doubtful_.push_back(addition->finding);
    has_doubtful_ = true;
  }

  /// Removes findings of which was said that they were not kept. A server that is still about to commit
  /// one is waited for: two insertions of the same id follow one another. Throws Failure.
  void undo_doubtful() {
    if (!has_doubtful_) return;
    const std::lock_guard lock(doubtful_mutex_);
    const auto connection = database_->write();
    Transaction transaction(*connection);
    for (const StoredFinding& stored : doubtful_) {
      insert_finding(*connection, stored, /*again=*/true);
      Query(*connection, kDelete).bind(stored.id).step();
    }
    transaction.commit();
    doubtful_.clear();
    has_doubtful_ = false;
  }

  std::shared_ptr<sql::Database> database_;
  Together<Addition> additions_;
  std::mutex doubtful_mutex_;
  std::vector<StoredFinding> doubtful_;
  std::atomic<bool> has_doubtful_{false};
};

}  // namespace

Result<std::unique_ptr<Store>> open_store(std::shared_ptr<sql::Database> database) {
  const auto migrated = sql::migrate(*database, "findings", migration_files());
  if (!migrated) return migrated.error();
  return std::unique_ptr<Store>(std::make_unique<FindingStore>(std::move(database)));
}

Result<std::unique_ptr<Store>> open_store(const std::string& url) {
  auto database = sql::open_database(url);
  if (!database) return database.error();
  return open_store(std::shared_ptr(std::move(*database)));
}

}  // namespace xray
