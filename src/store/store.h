#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/file.h"
#include "common/result.h"
#include "diagnose/finding.h"

namespace xray {

namespace sql {
class Database;
}

/// A finding as it is kept: what was said, of which picture, when.
struct StoredFinding {
  std::string id;          ///< UUID version 7 (RFC 9562): sorts by time of creation
  std::string created_at;  ///< RFC 3339, UTC, milliseconds
  std::string file_name;   ///< as uploaded, for people; never used as a path; may be empty
  Finding finding;
};

/// What a page of findings is to hold, newest first.
struct FindingQuery {
  int limit = 50;                     ///< 1..200
  std::optional<std::string> before;  ///< older than the finding of this id: `next_before` of the page before
  std::optional<Verdict> verdict;
  std::optional<Moment> from;  ///< not older
  std::optional<Moment> to;    ///< older
};

/// One page of findings, newest first.
struct FindingPage {
  std::vector<StoredFinding> findings;
  std::optional<std::string> next_before;  ///< pass as `before` for the next page; none at the end
};

/// Keeps findings and their pictures. Thread-safe. Every call is one transaction;
/// what put() acknowledged survives a crash. Failures: kNotFound where an id names
/// nothing; kBusy where another program held the database for seconds, or its server is
/// away; kIo where the disk is full; kStorage.
class Store {
 public:
  virtual ~Store() = default;

  /// Keeps the finding and the picture's bytes as they came; returns it with id and time.
  virtual Result<StoredFinding> put(const Finding& finding, const std::string& file_name,
                                    std::span<const std::byte> picture) = 0;
  virtual Result<StoredFinding> get(const std::string& id) = 0;
  virtual Result<Bytes> picture(const std::string& id) = 0;
  /// What it takes does not grow with the number of findings. kInvalidArgument for a limit out of range.
  virtual Result<FindingPage> list(const FindingQuery& query) = 0;
  virtual Result<Done> remove(const std::string& id) = 0;
  /// Whether the database answers; for readiness.
  virtual Result<Done> ping() = 0;
};

/// Over a database of sql::open_database (store/sql.h): one that others share. Brings the tables up to date
/// (migrations/*.sql). Errors of sql::migrate.
Result<std::unique_ptr<Store>> open_store(std::shared_ptr<sql::Database> database);

/// The same over a database of its own. Errors of sql::open_database and sql::migrate.
Result<std::unique_ptr<Store>> open_store(const std::string& url);

}  // namespace xray
