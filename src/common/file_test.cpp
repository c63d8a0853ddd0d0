#include "common/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace xray {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(dir_); }
  void TearDown() override { fs::remove_all(dir_); }
  fs::path dir_ = fs::temp_directory_path() / ("xray_file_test_" + std::to_string(::getpid()));
};

TEST_F(FileTest, ReadsBackWhatItWrote) {
  ASSERT_TRUE(write_file(dir_ / "a", "hello"));
  EXPECT_EQ(read_text(dir_ / "a").value(), "hello");
}

TEST_F(FileTest, ReplacesAndLeavesNothingBeside) {
  ASSERT_TRUE(write_file(dir_ / "a", "one"));
  ASSERT_TRUE(write_file(dir_ / "a", "two"));
  EXPECT_EQ(read_text(dir_ / "a").value(), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 1);
}

TEST_F(FileTest, TellsMissingFromUnreadable) {
  EXPECT_EQ(read_file(dir_ / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_file(dir_).error().code, ErrorCode::kIo);
}

TEST_F(FileTest, RefusesWhatIsOverTheLimit) {
  ASSERT_TRUE(write_file(dir_ / "a", "12345"));
  EXPECT_EQ(read_file(dir_ / "a", 4).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(read_file(dir_ / "a", 5));
}

TEST(Sha256, AgreesWithThePublishedExample) {
  // FIPS 180-4 example: "abc".
  const std::string abc = "abc";
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(abc))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace xray
