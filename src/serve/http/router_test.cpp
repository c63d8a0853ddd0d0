#include "serve/http/router.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

/// What is found; "no match" where nothing is.
std::string_view found(std::string_view pattern, std::string_view path, std::size_t index = 0) {
  const auto parameters = match_path(pattern, path);
  return parameters ? (*parameters)[index] : "no match";
}

TEST(MatchPath, FindsEveryParameter) {
  EXPECT_TRUE(match_path("/", "/"));
  EXPECT_EQ(found("/a/{x}", "/a/b"), "b");
  EXPECT_EQ(found("/a/{x}/c", "/a/b/c"), "b");
  EXPECT_EQ(found("/m/{x}:predict", "/m/a:b:predict"), "a:b");
  EXPECT_EQ(found("/m/{x}/v/{y}:predict", "/m/xray/v/2.1.0:predict"), "xray");
  EXPECT_EQ(found("/m/{x}/v/{y}:predict", "/m/xray/v/2.1.0:predict", 1), "2.1.0");
  EXPECT_EQ(found("/a/{x}", "/a/b", 1), "");
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
