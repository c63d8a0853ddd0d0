#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/file.h"
#include "model/card.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::HasSubstr;

constexpr const char* kNetwork = "the bytes of a network";

class ModelPackageFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    card_.name = "example";
    card_.version = "1";
    card_.classes = {"normal", "pneumonia"};
    card_.about["licence"] = "Apache-2.0";
    const auto written = write_package(folder_, card_, kNetwork);
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  ModelCard card_;
  test::TempDir temp_;
  std::filesystem::path folder_ = temp_ / "models" / "example";
};

TEST_F(ModelPackageFiles, ComeBackAsTheyWereWritten) {
  const auto package = load_package(folder_);
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(package->card.id(), "example 1");
  EXPECT_EQ(package->card.about["licence"], "Apache-2.0");
  const auto network = read_text(package->network_path());
  ASSERT_TRUE(network.ok());
  EXPECT_EQ(*network, kNetwork);
}

TEST_F(ModelPackageFiles, AreReplacedByANewerModel) {
  card_.version = "2";
  ASSERT_TRUE(write_package(folder_, card_, "other bytes").ok());
  const auto package = load_package(folder_);
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(package->card.version, "2");
}

TEST_F(ModelPackageFiles, AreRefusedWhenTheNetworkWasTamperedWith) {
  ASSERT_TRUE(write_file(folder_ / "network.onnx", std::string_view("the bytes of a netw0rk")).ok());
  const auto package = load_package(folder_);
  ASSERT_FALSE(package.ok());
  EXPECT_EQ(package.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(package.error().message, HasSubstr("SHA-256"));
}

TEST_F(ModelPackageFiles, AreRefusedWithoutTheNetwork) {
  std::filesystem::remove(folder_ / "network.onnx");
  const auto package = load_package(folder_);
  ASSERT_FALSE(package.ok());
  EXPECT_EQ(package.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(package.error().message, HasSubstr("network.onnx"));
}

TEST_F(ModelPackageFiles, AreRefusedWhenTheCardIsNotJson) {
  ASSERT_TRUE(write_file(folder_ / "card.json", std::string_view("{\"format\": 1,")).ok());
  const auto package = load_package(folder_);
  ASSERT_FALSE(package.ok());
  EXPECT_EQ(package.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(package.error().message, HasSubstr("card.json"));
}

TEST_F(ModelPackageFiles, AreRefusedWithoutTheCard) {
  std::filesystem::remove(folder_ / "card.json");
  const auto package = load_package(folder_);
  ASSERT_FALSE(package.ok());
  EXPECT_EQ(package.error().code, ErrorCode::kBadModel);
}

TEST_F(ModelPackageFiles, AreNotFoundWhereThereIsNoFolder) {
  const auto package = load_package(folder_ / "nowhere");
  ASSERT_FALSE(package.ok());
  EXPECT_EQ(package.error().code, ErrorCode::kNotFound);
}

TEST_F(ModelPackageFiles, AreNotWrittenWithACardThatCannotBeReadBack) {
  card_.threshold = 1.5;
  const auto written = write_package(folder_, card_, kNetwork);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(written.error().message, HasSubstr("threshold"));
}

}  // namespace
}  // namespace xray
