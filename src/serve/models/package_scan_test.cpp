#include "serve/models/package_scan.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

class PackageScanTest : public testing::Test {
 protected:
  void put(const std::string& file, const std::string& text = "x") const {
    fs::create_directories((temp_ / file).parent_path());
    ASSERT_TRUE(write_file(temp_ / file, text).ok());
  }
  std::vector<std::string> found() const {
    std::vector<std::string> names;
    const auto scan = scan_packages(temp_.path());
    EXPECT_TRUE(scan.ok());
    for (const auto& [name, look] : scan->packages) names.push_back(name);
    return names;
  }
  test::TempDir temp_;
};

TEST_F(PackageScanTest, FindsPackagesOneAndTwoFoldersDeep) {
  put("a/card.json");
  put("a/severity/card.json");
  put("b/1/card.json");
  put("b/2.0/card.json");
  put("b/3/network.onnx");
  put("b/4/5/card.json");
  put(".hidden/card.json");
  put("b/.incoming/card.json");
  put("labels.json");
  put("card.json");
  fs::create_directories(temp_ / "c/card.json");
  fs::create_directory_symlink(temp_ / "b/1", temp_ / "link");
  fs::create_directory_symlink(temp_ / "nowhere", temp_ / "broken");
  EXPECT_EQ(found(), (std::vector<std::string>{"a", "b/1", "b/2.0", "link"}));
}

TEST_F(PackageScanTest, SeesEveryChangeOfAPackagesFiles) {
  put("a/card.json");
  put("a/severity/opacity.onnx");
  const auto look = [&] { return scan_packages(temp_.path()).value().packages.at("a"); };
  std::string before = look();
  EXPECT_EQ(look(), before);
  const auto expect_change = [&](const char* what) {
    EXPECT_NE(look(), before) << what;
    before = look();
  };
  put("a/card.json", "y");
  expect_change("written anew, as long as before");
  put("a/network.onnx", "xx");
  expect_change("a file more");
  put("a/severity/opacity.onnx", "xx");
  expect_change("longer");
  fs::remove(temp_ / "a/network.onnx");
  expect_change("a file less");
  EXPECT_EQ(look_of(temp_ / "none"), "");
}

TEST_F(PackageScanTest, TellsAFolderThatCannotBeReadFromAnEmptyOne) {
  EXPECT_TRUE(scan_packages(temp_.path()).value().packages.empty());
  EXPECT_EQ(scan_packages(temp_ / "none").error().code, ErrorCode::kIo);
  put("file");
  EXPECT_EQ(scan_packages(temp_ / "file").error().code, ErrorCode::kIo);
}

TEST_F(PackageScanTest, NamesTheFoldersThatItCannotRead) {
  put("a/card.json");
  fs::create_symlink("itself", temp_ / "itself");
  const auto scan = scan_packages(temp_.path()).value();
  EXPECT_EQ(scan.packages.size(), 1U);
  EXPECT_EQ(scan.unreadable, std::vector<std::string>{"itself"});
}

TEST_F(PackageScanTest, BoundsWhatItReads) {
  put("file");
  for (int i = 0; i < 1'000; ++i) fs::create_hard_link(temp_ / "file", temp_ / ("f" + std::to_string(i)));
  EXPECT_EQ(scan_packages(temp_.path()).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace xray
