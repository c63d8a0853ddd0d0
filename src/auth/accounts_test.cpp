#include "auth/accounts.h"

#include <gtest/gtest.h>

#include "store/sql.h"
#include "store/test_databases.h"

namespace xray::test {
namespace {

/// On every database, with a clock of its own.
class AccountsTest : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped()) return;
    accounts_ = Accounts::open(sql::open_database(url_).value(), {.idle = 100, .longest = 1000}, [this] {
                  return now_;
                }).value();
  }

  std::int64_t now_ = 1'700'000'000;
  std::unique_ptr<Accounts> accounts_;
};

TEST_P(AccountsTest, KeepsAccountsUnderSmallNames) {
  EXPECT_FALSE(accounts_->any().value());
  const Account jane = accounts_->add("Jane.Doe", Role::kAdmin, "hash").value();
  EXPECT_TRUE(accounts_->any().value());
  EXPECT_EQ(accounts_->find("JANE.DOE").value().id, jane.id);
  EXPECT_EQ(accounts_->password_of("jane.doe").value(), "hash");
  EXPECT_EQ(accounts_->password_of("joe").value(), std::nullopt);
  EXPECT_EQ(accounts_->password_of(std::string("\0\xFF", 2)).value(), std::nullopt);
  EXPECT_EQ(accounts_->add("jane.doe", Role::kReader, {}).error().code, ErrorCode::kInvalidArgument);
  for (const char* wrong : {"", "a b", "a'b", "\xC3\xA4"})
    EXPECT_FALSE(accounts_->add(wrong, Role::kReader, {})) << wrong;
  EXPECT_EQ(accounts_->list().value().size(), 1U);
}

TEST_P(AccountsTest, EndsSessionsThatIdleOrLastTooLong) {
  const Account jane = accounts_->add("jane", Role::kReviewer, "hash").value();
  const std::string secret = accounts_->begin_session(jane.id).value();
  const Caller caller = accounts_->of_session(secret).value().value();
  EXPECT_EQ(caller.user_name, "jane");
  EXPECT_EQ(caller.role, Role::kReviewer);
  EXPECT_FALSE(accounts_->of_session("another").value());
  for (int i = 0; i < 11; ++i) {
    now_ += 90;
    EXPECT_TRUE(accounts_->of_session(secret).value()) << i;
  }
  now_ += 90;
  EXPECT_FALSE(accounts_->of_session(secret).value()) << "too long in all";
  const std::string idle = accounts_->begin_session(jane.id).value();
  now_ += 100;
  EXPECT_FALSE(accounts_->of_session(idle).value());
  ASSERT_TRUE(accounts_->forget_old(1));
}

TEST_P(AccountsTest, EndsSessionsWhereAnAccountChanges) {
  const Account jane = accounts_->add("jane", Role::kAdmin, "hash").value();
  const Account joe = accounts_->add("joe", Role::kAdmin, "hash").value();
  const std::string kept = accounts_->begin_session(joe.id).value();
  const std::string other = accounts_->begin_session(joe.id).value();
  const Caller caller = accounts_->of_session(kept).value().value();
  ASSERT_TRUE(accounts_->set_password(joe.id, "new", caller.session));
  EXPECT_TRUE(accounts_->of_session(kept).value());
  EXPECT_FALSE(accounts_->of_session(other).value());
  ASSERT_TRUE(accounts_->set_role(joe.id, Role::kReader));
  EXPECT_FALSE(accounts_->of_session(kept).value());
  EXPECT_EQ(accounts_->set_disabled(jane.id, true).error().code, ErrorCode::kInvalidArgument)
      << "the last admin";
  EXPECT_EQ(accounts_->set_role(jane.id, Role::kReader).error().code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(accounts_->find("jane").value().disabled);
  ASSERT_TRUE(accounts_->set_disabled(joe.id, true));
  EXPECT_FALSE(accounts_->begin_session(joe.id));
  EXPECT_EQ(accounts_->password_of("joe").value(), std::nullopt);
  EXPECT_EQ(accounts_->set_disabled("none", true).error().code, ErrorCode::kNotFound);
}

TEST_P(AccountsTest, TokensLastAsLongAsTheyMay) {
  const Account jane = accounts_->add("jane", Role::kAdmin, {}).value();
  const auto made = accounts_->add_token(jane.id, "archive", Scopes::parse("read").value(), 1).value();
  EXPECT_TRUE(made.secret.starts_with("xray_"));
  EXPECT_EQ(accounts_->of_token(made.secret).value().value().scopes.text(), "read");
  EXPECT_FALSE(accounts_->of_token("xray_other").value());
  EXPECT_EQ(accounts_->revoke_token(made.token.id, "somebody else").error().code, ErrorCode::kNotFound);
  now_ += 24 * 60 * 60;
  EXPECT_FALSE(accounts_->of_token(made.secret).value());
  EXPECT_FALSE(accounts_->add_token(jane.id, "long", Scopes::all(), 367));
  ASSERT_TRUE(accounts_->revoke_token(made.token.id, jane.id));
  EXPECT_TRUE(accounts_->tokens(std::nullopt).value().empty());
}

TEST_P(AccountsTest, KnowsPeopleByTheirProvidersWord) {
  const Account jane = accounts_->of_subject("https://id", "s-1", "Jane Doe", Role::kReader).value();
  EXPECT_EQ(jane.name, "jane-doe");
  EXPECT_EQ(accounts_->of_subject("https://id", "s-2", "Jane Doe", Role::kReader).value().name, "jane-doe-2");
  const Account again = accounts_->of_subject("https://id", "s-1", "Renamed", Role::kAdmin).value();
  EXPECT_EQ(again.id, jane.id);
  EXPECT_EQ(accounts_->find_id(jane.id).value().role, Role::kAdmin);
  EXPECT_EQ(accounts_->password_of("jane-doe").value(), std::nullopt);
}

TEST_P(AccountsTest, CountsWhatBelongsToWhom) {
  ASSERT_TRUE(accounts_->add_belonging("f-1", "jane", 1000));
  now_ += 24 * 60 * 60 + 1;
  ASSERT_TRUE(accounts_->add_belonging("f-2", "jane", 500));
  EXPECT_EQ(accounts_->owner_of("f-1").value(), "jane");
  EXPECT_EQ(accounts_->owner_of("f-3").value(), "");
  EXPECT_EQ(accounts_->belongings("jane").value().today, 1);
  EXPECT_EQ(accounts_->belongings("jane").value().bytes, 1500);
  ASSERT_TRUE(accounts_->remove_belonging("f-1"));
  EXPECT_EQ(accounts_->belongings("jane").value().bytes, 500);
  EXPECT_EQ(accounts_->belongings("joe").value().bytes, 0);
}

TEST_P(AccountsTest, KeepsTheAuditTrailForSoManyDays) {
  AuditEntry entry{.event = std::string(Accounts::kSignIn), .account = "jane", .address = "192.0.2.1"};
  ASSERT_TRUE(accounts_->record({entry, entry}));
  EXPECT_TRUE(accounts_->has_signed_in_from("jane", "192.0.2.1").value());
  EXPECT_FALSE(accounts_->has_signed_in_from("jane", "192.0.2.2").value());
  const auto newest = accounts_->audit(1).value();
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(accounts_->audit(10, newest[0].id).value().size(), 1U);
  now_ += 10 * 24 * 60 * 60;
  ASSERT_TRUE(accounts_->forget_old(11));
  EXPECT_EQ(accounts_->audit(10).value().size(), 2U);
  ASSERT_TRUE(accounts_->forget_old(10));
  EXPECT_TRUE(accounts_->audit(10).value().empty());
}

INSTANTIATE_TEST_SUITE_P(Databases, AccountsTest, testing::ValuesIn(database_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace xray::test
