#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "common/embedded.h"
#include "store/sample_finding.h"
#include "store/store.h"
#include "support/temp_dir.h"

namespace xray {

std::span<const EmbeddedFile> migration_files();

namespace test {

namespace {

class SqliteFile : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open() { return open_store("sqlite:" + path_.string()); }

  /// Runs SQL on the file behind the store's back.
  void run(const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }

  TempDir dir_;
  std::filesystem::path path_ = dir_ / "findings.sqlite";
};

TEST_F(SqliteFile, KeepsFindingsAcrossReopening) {
  const auto id = open().value()->put(sample_finding(), "a.png", sample_picture(100'000)).value().id;
  const auto store = open().value();
  EXPECT_EQ(store->get(id).value().file_name, "a.png");
  EXPECT_EQ(store->picture(id).value(), sample_picture(100'000));
}

TEST_F(SqliteFile, KeepsWhatPutAcknowledgedWhenTheProcessIsKilled) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto opened = open();
    const auto put = opened ? (*opened)->put(sample_finding(), "a.png", sample_picture(100'000))
                            : Result<StoredFinding>(opened.error());
    if (!put || ::write(pipe[1], put->id.data(), put->id.size()) < 0) ::_exit(1);
    for (;;) ::pause();
  }
  ::close(pipe[1]);
  std::string id(36, '\0');
  ASSERT_EQ(::read(pipe[0], id.data(), id.size()), 36);
  ::close(pipe[0]);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);

  const auto store = open().value();
  EXPECT_EQ(store->get(id).value().id, id);
  EXPECT_EQ(store->picture(id).value(), sample_picture(100'000));
}

TEST_F(SqliteFile, IsForItsOwnerAlone) {
  ASSERT_TRUE(open());
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(SqliteFile, RefusesAFileThatIsNoDatabase) {
  ASSERT_TRUE(write_file(path_, std::string(5000, 'x')));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorage);
  EXPECT_NE(opened.error().message.find("not a database"), std::string::npos);
  EXPECT_EQ(read_text(path_).value(), std::string(5000, 'x'));
}

TEST_F(SqliteFile, LeavesAnotherProgramsDatabaseAlone) {
  run("CREATE TABLE theirs (x)");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorage);
  run("SELECT x FROM theirs");
}

TEST_F(SqliteFile, RefusesASchemaNewerThanTheProgram) {
  ASSERT_TRUE(open());
  run("PRAGMA user_version = 999");
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorage);
  EXPECT_NE(opened.error().message.find("newer"), std::string::npos);
}

TEST_F(SqliteFile, LiftsAnOlderDatabaseWithItsPictures) {
  const auto oldest = migration_files().front();
  const std::string old =
      "PRAGMA application_id = 0x78726179; PRAGMA user_version = 1;" + std::string(oldest.text()) +
      R"(INSERT INTO finding VALUES ('0190b6a0-0000-7000-8000-000000000000', '2026-01-01T00:00:00.000Z',
         'old.png', 'pneumonia', 5, 95, NULL, NULL, 'chest 1.0',
         '{"verdict":"pneumonia","normal":5,"pneumonia":95,"bacterial":-1,"viral":-1,"model":"chest 1.0",
           "picture":{"width":64,"height":64},"timing":{"decode":1,"preprocess":1,"infer":1,"total":3},
           "heat":{"width":0,"height":0,"values":[]}}');
         INSERT INTO picture VALUES ('0190b6a0-0000-7000-8000-000000000000', x'010203');)";
  run(old.c_str());
  const auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  const auto kept = (*store)->get("0190b6a0-0000-7000-8000-000000000000");
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->finding.verdict, Verdict::kPneumonia);
  EXPECT_TRUE(kept->finding.reasons.empty());
  EXPECT_EQ((*store)->picture(kept->id).value().size(), 3U);
  EXPECT_TRUE((*store)->put({.verdict = Verdict::kRejected, .model = "m", .width = 9, .height = 9}, "f", {}));
  // Pictures still go with their findings.
  ASSERT_TRUE((*store)->remove(kept->id));
  EXPECT_FALSE((*store)->picture(kept->id));
}

TEST_F(SqliteFile, TellsDamagedPagesAsStorageErrors) {
  {
    const auto store = open().value();
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(store->put(sample_finding(i), "f", sample_picture(5000)));
  }
  // Everything after the first page (header and schema) is overwritten.
  Bytes file = read_file(path_).value();
  ASSERT_GT(file.size(), 200'000U);
  std::fill(file.begin() + 32'768, file.end(), std::byte{0x5A});
  ASSERT_TRUE(write_file(path_, file));
  const auto store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->list({.limit = 10}).error().code, ErrorCode::kStorage);
  EXPECT_EQ((*store)->ping().error().code, ErrorCode::kStorage);
}

TEST_F(SqliteFile, TellsADamagedFindingAsAStorageError) {
  const auto id = open().value()->put(sample_finding(), "f", {}).value().id;
  run(R"(UPDATE finding SET finding = '{"verdict": "maybe"}')");
  EXPECT_EQ(open().value()->get(id).error().code, ErrorCode::kStorage);
}

TEST_F(SqliteFile, OverwritesTheBytesOfARemovedPicture) {
  const std::string secret = "a patient's picture, word for word";
  {
    const auto store = open().value();
    const auto bytes = std::as_bytes(std::span(secret.data(), secret.size()));
    const auto id = store->put(sample_finding(), "f", bytes).value().id;
    ASSERT_TRUE(store->remove(id));
  }
  EXPECT_EQ(read_text(path_).value().find(secret), std::string::npos);
}

TEST_F(SqliteFile, NeedsItsFolder) {
  path_ = dir_ / "none/findings.sqlite";
  EXPECT_EQ(open().error().code, ErrorCode::kStorage);
}

TEST(OpenStore, KnowsNoOtherScheme) {
  EXPECT_EQ(open_store("mysql:x").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(open_store("sqlite:").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(open_store("findings.sqlite").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace test
}  // namespace xray
