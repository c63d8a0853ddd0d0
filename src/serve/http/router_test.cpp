#include "serve/http/router.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(MatchPath, FindsEveryParameter) {
  EXPECT_TRUE(match_path("/", "/"));
  EXPECT_EQ((*match_path("/a/{x}", "/a/b"))[0], "b");
  EXPECT_EQ((*match_path("/a/{x}/c", "/a/b/c"))[0], "b");
  EXPECT_EQ((*match_path("/m/{x}:predict", "/m/a:b:predict"))[0], "a:b");
  const auto both = match_path("/m/{x}/v/{y}:predict", "/m/xray/v/2.1.0:predict");
  ASSERT_TRUE(both);
  EXPECT_EQ((*both)[0], "xray");
  EXPECT_EQ((*both)[1], "2.1.0");
  EXPECT_EQ(std::string_view(*both), "xray");
}

TEST(MatchPath, RefusesOtherPaths) {
  for (const std::string_view path : {"", "/", "/a", "/a/", "/a//c", "/a/b", "/a/b/", "/a/b/d", "/a/b/c/",
                                      "/a/b/c/c", "/a/b/b/c", "x/a/b/c"})
    EXPECT_FALSE(match_path("/a/{x}/c", path)) << path;
  for (const std::string_view path : {"/m/:predict", "/m/a:predict/", "/m/a/b:predict", "/m/a:predictx"})
    EXPECT_FALSE(match_path("/m/{x}:predict", path)) << path;
  EXPECT_FALSE(match_path("/m/{x}/v/{y}", "/m/a/v/"));
  EXPECT_FALSE(match_path("/m/{x}/v/{y}", "/m/a/v/b/c"));
  EXPECT_FALSE(match_path("/m/{x}/v/{y}", "/m//v/b"));
}

}  // namespace
}  // namespace xray
