#include "cli/store_url.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace xray {
namespace {

/// store_url() in an environment of these variables.
class StoreUrl : public testing::Test {
 protected:
  void set(const std::map<std::string, std::string>& variables) {
    clear();
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  }
  void SetUp() override { clear(); }
  void TearDown() override { clear(); }

 private:
  static void clear() {
    for (const char* name :
         {"DATABASE_URL", "RDS_HOSTNAME", "RDS_PORT", "RDS_DB_NAME", "RDS_USERNAME", "RDS_PASSWORD"})
      ::unsetenv(name);
  }
};

TEST_F(StoreUrl, PrefersWhatIsGiven) {
  EXPECT_EQ(store_url("").value(), "sqlite:xray.sqlite");
  set({{"DATABASE_URL", "postgres://a@b/c"}, {"RDS_HOSTNAME", "db"}});
  EXPECT_EQ(store_url("sqlite:x").value(), "sqlite:x");
  EXPECT_EQ(store_url("").value(), "postgres://a@b/c");
}

TEST_F(StoreUrl, TakesTheDatabaseOfElasticBeanstalk) {
  std::map<std::string, std::string> rds = {{"RDS_HOSTNAME", "x.rds.amazonaws.com"},
                                            {"RDS_PORT", "5432"},
                                            {"RDS_DB_NAME", "ebdb"},
                                            {"RDS_USERNAME", "xray"},
                                            {"RDS_PASSWORD", "p@ss/w:rd?"}};
  set(rds);
  EXPECT_EQ(store_url("").value(), "postgresql://xray:p%40ss%2Fw%3Ard%3F@x.rds.amazonaws.com:5432/ebdb");
  rds.erase("RDS_PASSWORD");
  set(rds);
  const auto url = store_url("");
  ASSERT_FALSE(url);
  EXPECT_NE(url.error().message.find("$RDS_PASSWORD"), std::string::npos);
}

}  // namespace
}  // namespace xray
