#include "cli/cache_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "support/temp_dir.h"

namespace xray {
namespace {

/// Sets $XRAY_CACHE for one test.
class CacheFolder : public testing::Test {
 protected:
  CacheFolder() {
    if (const char* before = std::getenv("XRAY_CACHE"); before != nullptr) before_ = before;
  }
  ~CacheFolder() override {
    if (before_)
      set(*before_);
    else
      ::unsetenv("XRAY_CACHE");
  }
  static void set(const std::string& folder) { ::setenv("XRAY_CACHE", folder.c_str(), 1); }

  test::TempDir temp_;

 private:
  std::optional<std::string> before_;
};

TEST_F(CacheFolder, IsMadeForThisKindOfCpu) {
  set(temp_ / "cache");
  const auto folder = cache_folder();
  EXPECT_EQ(folder.parent_path(), temp_ / "cache");
  EXPECT_TRUE(std::filesystem::is_directory(folder));
  EXPECT_EQ(cache_folder(), folder);
}

TEST_F(CacheFolder, IsNoneWhereSwitchedOffOrNotToBeMade) {
  set("");
  EXPECT_TRUE(cache_folder().empty());
  std::ofstream(temp_ / "file") << "x";
  set(temp_ / "file" / "cache");
  EXPECT_TRUE(cache_folder().empty());
}

TEST_F(CacheFolder, IsNoneWhereOthersMayWrite) {
  const auto open = temp_ / "open";
  std::filesystem::create_directory(open);
  std::filesystem::permissions(open, std::filesystem::perms::all);
  set(open);
  EXPECT_TRUE(cache_folder().empty());
}

TEST_F(CacheFolder, KeepsAFewNetworksOnly) {
  set(temp_ / "cache");
  const auto folder = cache_folder();
  for (int i = 0; i < 40; ++i) std::ofstream(folder / (std::to_string(i) + ".blob")) << i;
  cache_folder();
  const auto left = std::distance(std::filesystem::directory_iterator(folder), {});
  EXPECT_EQ(left, 24);
}

}  // namespace
}  // namespace xray
