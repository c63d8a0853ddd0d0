#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "support/postgres_server.h"
#include "support/temp_dir.h"

namespace xray::test {

/// The one server of a test program; null where PostgreSQL is not installed.
inline PostgresServer* postgres_server() {
  static const std::unique_ptr<PostgresServer> server = PostgresServer::start();
  return server.get();
}

/// A kind of database, of which tests get URLs of fresh, empty ones; nothing where it is not installed.
struct DatabaseKind {
  std::string name;
  std::function<std::optional<std::string>()> fresh_url;
  friend void PrintTo(const DatabaseKind& kind, std::ostream* out) { *out << kind.name; }  // NOLINT: gtest's
};

/// For INSTANTIATE_TEST_SUITE_P.
inline std::vector<DatabaseKind> database_kinds() {
  const auto file = []() -> std::optional<std::string> {
    static TempDir dir;
    static int count = 0;
    return "sqlite:" + (dir / (std::to_string(count++) + ".sqlite")).string();
  };
  const auto postgres = []() -> std::optional<std::string> {
    if (postgres_server() == nullptr) return std::nullopt;
    return postgres_server()->fresh_url();
  };
  return {{"SqliteMemory", [] { return std::optional<std::string>("sqlite::memory:"); }},
          {"SqliteFile", file},
          {"PostgreSQL", postgres}};
}

/// Tests that run on every kind; `url_` is empty, and the test skipped, where one is not installed.
class DatabaseTest : public testing::TestWithParam<DatabaseKind> {
 protected:
  void SetUp() override {
    const auto url = GetParam().fresh_url();
    if (!url) GTEST_SKIP() << "PostgreSQL is not installed (scripts/setup test)";
    url_ = *url;
  }

  std::string url_;
};

}  // namespace xray::test
