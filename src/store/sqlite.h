#pragma once

#include <memory>
#include <string>

#include "store/sql.h"

/// The driver for SQLite: one file, one connection that writes, a few that read beside it (in WAL mode
/// neither waits for the other).
namespace xray::sql::sqlite {

bool is_url(const std::string& url);

/// See sql::open_database. Throws Failure.
Result<std::unique_ptr<Database>> open(const std::string& url);

}  // namespace xray::sql::sqlite
