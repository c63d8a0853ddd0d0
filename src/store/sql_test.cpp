#include "store/sql.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "common/file.h"
#include "store/postgres.h"
#include "store/test_databases.h"

namespace xray::sql {
namespace {

using test::DatabaseTest;
using testing::HasSubstr;

EmbeddedFile file(std::string_view path, std::string_view text) {
  return {path, "", std::as_bytes(std::span(text))};
}

const std::vector<EmbeddedFile>& trial_files() {
  static const std::vector<EmbeddedFile> files = {
      file(
          "migrations/0001_trial.sql",
          "CREATE TABLE trial (id BIGINT NOT NULL PRIMARY KEY, state TEXT NOT NULL, score DOUBLE PRECISION)"),
      file("migrations/0002_state.postgresql.sql", "ALTER TABLE trial ADD COLUMN weights BYTEA"),
      file("migrations/0002_state.sqlite.sql", "ALTER TABLE trial ADD COLUMN weights BLOB"),
  };
  return files;
}

class Sql : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped()) return;
    auto opened = open_database(url_);
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = std::move(*opened);
    const auto migrated = migrate(*database_, "study", trial_files());
    ASSERT_TRUE(migrated) << migrated.error().message;
  }

  void add(std::int64_t id, std::string_view state) {
    const auto connection = database_->write();
    Query(*connection, "INSERT INTO trial (id, state) VALUES (?, ?)").bind(id).bind(state).step();
  }
  std::int64_t count(std::string_view state) {
    const auto connection = database_->read();
    Query query(*connection, "SELECT count(*) FROM trial WHERE state = ?");
    return query.bind(state).step() ? query.integer(0) : -1;
  }

  std::unique_ptr<Database> database_;
};

TEST_P(Sql, GivesBackWhatWasBound) {
  const auto connection = database_->write();
  const std::int64_t large = std::int64_t{-1} << 62U;
  const Bytes blob = {std::byte{0}, std::byte{255}, std::byte{'\\'}, std::byte{0}};
  const std::string text = "it's a \"?\" – Röntgen\\n";
  Query(*connection, "INSERT INTO trial (id, state, score, weights) VALUES (?, ?, ?, ?)")
      .bind(large)
      .bind(text)
      .bind(0.1)
      .bind(blob)
      .step();
  Query query(*connection, "SELECT id, state, score, weights, '?', score > 0 FROM trial WHERE id = ?");
  ASSERT_TRUE(query.bind(large).step());
  EXPECT_EQ(query.integer(0), large);
  EXPECT_EQ(query.text(1), text);
  EXPECT_EQ(query.real(2), 0.1);
  EXPECT_TRUE(std::ranges::equal(query.blob(3), blob));
  EXPECT_EQ(query.text(4), "?");
  EXPECT_EQ(query.integer(5), 1);
  EXPECT_FALSE(query.step());
}

TEST_P(Sql, TellsNullFromNothing) {
  add(1, "");
  const auto connection = database_->read();
  Query query(*connection, "SELECT state, score, weights FROM trial WHERE id = ?");
  ASSERT_TRUE(query.bind(1).step());
  EXPECT_FALSE(query.is_null(0));
  EXPECT_EQ(query.text(0), "");
  EXPECT_TRUE(query.is_null(1));
  EXPECT_EQ(query.real(1), 0);
  EXPECT_TRUE(query.is_null(2));
  EXPECT_TRUE(query.blob(2).empty());
}

TEST_P(Sql, RunsAStatementAgainWithOtherValues) {
  for (int id = 0; id < 20; ++id) add(id, id % 2 == 0 ? "even" : "odd");
  EXPECT_EQ(count("even"), 10);
  EXPECT_EQ(count("none"), 0);
  const auto connection = database_->read();
  std::vector<std::int64_t> ids;
  Query query(*connection, "SELECT id FROM trial WHERE id < ? ORDER BY id DESC LIMIT ?");
  query.bind(15).bind(3);
  while (query.step()) ids.push_back(query.integer(0));
  EXPECT_EQ(ids, (std::vector<std::int64_t>{14, 13, 12}));
}

TEST_P(Sql, LetsOneOfManyClaimATrial) {
  constexpr int kTrials = 20;
  for (int id = 0; id < kTrials; ++id) add(id, "new");
  std::atomic<int> claimed{0};
  {
    std::vector<std::jthread> workers;
    workers.reserve(4);
    for (int worker = 0; worker < 4; ++worker)
      workers.emplace_back([&] {
        for (int id = 0; id < kTrials; ++id) {
          const auto connection = database_->write();
          Transaction transaction(*connection);
          Query claim(*connection, "UPDATE trial SET state = 'running' WHERE id = ? AND state = 'new'");
          claim.bind(id).step();
          claimed += static_cast<int>(claim.changes());
          transaction.commit();
        }
      });
  }
  EXPECT_EQ(claimed, kTrials);
  EXPECT_EQ(count("running"), kTrials);
}

TEST_P(Sql, LetsTransactionsOfOneLockFollowEachOther) {
  add(1, "0");
  {
    std::vector<std::jthread> workers;
    workers.reserve(4);
    for (int worker = 0; worker < 4; ++worker)
      workers.emplace_back([&] {
        for (int turn = 0; turn < 10; ++turn) {
          const auto connection = database_->write();
          Transaction transaction(*connection, "count");
          Query read(*connection, "SELECT state FROM trial WHERE id = 1");
          ASSERT_TRUE(read.step());
          Query(*connection, "UPDATE trial SET state = ? WHERE id = 1")
              .bind(std::to_string(std::stoi(read.text(0)) + 1))
              .step();
          transaction.commit();
        }
      });
  }
  EXPECT_EQ(count("40"), 1);
}

TEST_P(Sql, UndoesWhatIsNotCommitted) {
  {
    const auto connection = database_->write();
    const Transaction transaction(*connection);
    Query(*connection, "INSERT INTO trial (id, state) VALUES (1, 'new')").step();
  }
  EXPECT_EQ(count("new"), 0);
  add(1, "new");
  const auto twice = guarded([&]() -> Result<Done> {
    const auto connection = database_->write();
    Transaction transaction(*connection);
    Query(*connection, "INSERT INTO trial (id, state) VALUES (2, 'new')").step();
    Query(*connection, "INSERT INTO trial (id, state) VALUES (1, 'new')").step();
    transaction.commit();
    return Done{};
  });
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::kStorage);
  EXPECT_EQ(count("new"), 1);
  add(3, "new");
}

TEST_P(Sql, KeepsVersionsOfSetsApart) {
  EXPECT_TRUE(migrate(*database_, "study", trial_files()));
  const std::vector<EmbeddedFile> other = {
      file("0001_user.sql", "CREATE TABLE someone (name TEXT NOT NULL)")};
  ASSERT_TRUE(migrate(*database_, "accounts", other));
  ASSERT_TRUE(migrate(*database_, "accounts", other));
  const auto older = migrate(*database_, "study", std::span(trial_files()).first(1));
  ASSERT_FALSE(older);
  EXPECT_THAT(older.error().message, HasSubstr("newer xray (schema 2, this program knows 1)"));
}

TEST_P(Sql, LeavesNothingOfAMigrationThatFails) {
  const std::vector<EmbeddedFile> broken = {file("0001_a.sql", "CREATE TABLE a (x BIGINT)"),
                                            file("0002_b.sql", "CREATE TABLE b (x BIGINT); SELECT nonsense")};
  EXPECT_EQ(migrate(*database_, "broken", broken).error().code, ErrorCode::kStorage);
  ASSERT_TRUE(migrate(*database_, "broken", std::span(broken).first(1)));
}

INSTANTIATE_TEST_SUITE_P(Databases, Sql, testing::ValuesIn(test::database_kinds()),
                         [](const auto& each) { return each.param.name; });

class Sharing : public DatabaseTest {};

TEST_P(Sharing, LetsManyMigrateAtOnce) {
  if (url_ == "sqlite::memory:") GTEST_SKIP() << "nobody shares it";
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> servers;
    servers.reserve(5);
    for (int server = 0; server < 5; ++server)
      servers.emplace_back([&] {
        const auto database = open_database(url_);
        if (!database || !migrate(**database, "study", trial_files())) ++failed;
      });
  }
  EXPECT_EQ(failed, 0);
}

INSTANTIATE_TEST_SUITE_P(Databases, Sharing, testing::ValuesIn(test::database_kinds()),
                         [](const auto& each) { return each.param.name; });

TEST(Postgres, NumbersPlaceholdersOutsideOfQuotesAndComments) {
  EXPECT_EQ(postgres::with_numbers("a = ? AND b = '?''?' AND \"c?\" = ? -- ?\n LIMIT ?"),
            "a = $1 AND b = '?''?' AND \"c?\" = $2 -- ?\n LIMIT $3");
  EXPECT_EQ(postgres::with_numbers("'?"), "'?");
}

TEST(Postgres, TellsNoSecrets) {
  EXPECT_EQ(label_of("postgres://ann:secret@db.example:6432/films?password=secret&sslmode=require"),
            "postgresql://ann@db.example:6432/films");
  EXPECT_EQ(label_of("sqlite:films.sqlite"), "sqlite:films.sqlite");
  for (const char* url : {"postgres://ann:sec@ret@db/films", "postgres://ann:sec/ret@db/films",
                          "postgres://ann:secret@db/films?nonsense=1"}) {
    const auto opened = open_database(url);
    ASSERT_FALSE(opened) << url;
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
    for (const char* part : {"sec", "ret"}) {
      EXPECT_EQ(opened.error().message.find(part), std::string::npos);
      EXPECT_EQ(label_of(url).find(part), std::string::npos);
    }
  }
}

TEST(Postgres, EncryptsTheWayToOtherMachines) {
  const auto forget = [] {
    for (const char* name : {"PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSSLMODE"}) ::unsetenv(name);
  };
  forget();
  for (const char* url :
       {"postgres://a:b@db/c", "postgresql://db.example:6432,localhost/c", "postgresql://localhost,db/c",
        "postgresql:///c?host=db", "postgresql:///c?host=/run/postgresql,10.0.0.1",
        "postgresql://localhost/c?hostaddr=192.0.2.1", "postgresql://[2001:db8::1]/c",
        "postgresql://128.0.0.1/c", "postgresql://db,localhost/c?hostaddr=,127.0.0.1",
        "postgresql://db/c?application_name=sslmode%3Ddisable"})
    EXPECT_EQ(postgres::sslmode_of(url), "require") << url;
  for (const char* url : {"postgresql:///c", "postgresql://localhost/c", "postgresql://127.0.0.2:5433/c",
                          "postgresql://[::1]/c", "postgresql://a@/c?host=/run/postgresql",
                          "postgresql://%2Frun%2Fpostgresql/c", "postgresql://localhost,127.0.0.1/c",
                          "postgresql://db/c?hostaddr=127.0.0.1", "postgresql://db/c?sslmode=disable",
                          "postgresql://db/c?sslmode=verify-full", "postgresql:///c?service=films"})
    EXPECT_EQ(postgres::sslmode_of(url), "") << url;
  ::setenv("PGHOST", "db", 1);
  EXPECT_EQ(postgres::sslmode_of("postgresql:///c"), "require");
  EXPECT_EQ(postgres::sslmode_of("postgresql://localhost/c"), "");
  ::setenv("PGHOSTADDR", "127.0.0.1", 1);
  EXPECT_EQ(postgres::sslmode_of("postgresql:///c"), "");
  ::unsetenv("PGHOSTADDR");
  ::setenv("PGSSLMODE", "prefer", 1);
  EXPECT_EQ(postgres::sslmode_of("postgresql://db/c"), "");
  forget();
}

TEST(Postgres, TellsAServerThatIsAwayAsBusy) {
  const auto opened = open_database("postgresql://xray@/postgres?host=/nonexistent");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kBusy);
}

TEST(Postgres, LeavesAnotherProgramsDatabaseAlone) {
  if (test::postgres_server() == nullptr) GTEST_SKIP() << "PostgreSQL is not installed (scripts/setup test)";
  const std::string url = test::postgres_server()->fresh_url();
  const auto database = open_database(url).value();
  database->write()->execute("CREATE TABLE theirs (x BIGINT)");
  const auto migrated = migrate(*database, "study", trial_files());
  ASSERT_FALSE(migrated);
  EXPECT_THAT(migrated.error().message, HasSubstr("another program"));
}

}  // namespace
}  // namespace xray::sql
