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
    const auto written = write_package(folder_, card_, {kNetwork});
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
  const auto network = read_text(folder_ / *package->card.network.file());
  ASSERT_TRUE(network.ok());
  EXPECT_EQ(*network, kNetwork);
}

TEST_F(ModelPackageFiles, AreReplacedByANewerModel) {
  card_.version = "2";
  ASSERT_TRUE(write_package(folder_, card_, {"other bytes"}).ok());
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

TEST_F(ModelPackageFiles, HoldTheFasterNetworkBesideTheExactOne) {
  ASSERT_TRUE(write_package(folder_, card_, {kNetwork, "the same in 8 bit"}).ok());
  const auto package = load_package(folder_);
  ASSERT_TRUE(package.ok()) << package.error().message;
  const auto bytes = [&](std::optional<Precision> precision) {
    return read_text(folder_ / *package->card.network.file(precision)).value();
  };
  EXPECT_EQ(bytes(std::nullopt), "the same in 8 bit");
  EXPECT_EQ(bytes(Precision::kInt8), "the same in 8 bit");
  EXPECT_EQ(bytes(Precision::kFp32), kNetwork);

  ASSERT_TRUE(write_file(folder_ / "network.int8.onnx", std::string_view("another in 8 bit")).ok());
  const auto tampered = load_package(folder_);
  ASSERT_FALSE(tampered.ok());
  EXPECT_EQ(tampered.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(tampered.error().message, HasSubstr("network.int8.onnx"));
}

TEST_F(ModelPackageFiles, HoldAGraphAndItsWeights) {
  card_.network.fp32.name = "network.xml";
  card_.imported = {"mine.tflite", "TensorFlow Lite", std::string(64, 'c')};
  ASSERT_TRUE(write_package(folder_, card_, {.fp32 = "a graph", .weights = "its weights"}).ok());
  const auto package = load_package(folder_);
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(*package->card.network.file(), "network.xml");
  ASSERT_TRUE(package->card.imported);
  EXPECT_EQ(package->card.imported->source, "mine.tflite");
  EXPECT_EQ(read_text(folder_ / "network.bin").value(), "its weights");

  ASSERT_TRUE(write_file(folder_ / "network.bin", std::string_view("other weights")).ok());
  const auto tampered = load_package(folder_);
  ASSERT_FALSE(tampered.ok());
  EXPECT_THAT(tampered.error().message, HasSubstr("network.bin"));

  // A graph without weights that are checked would take whatever lies beside it.
  const auto half = write_package(folder_, card_, {.fp32 = "a graph"});
  ASSERT_FALSE(half.ok());
  EXPECT_THAT(half.error().message, HasSubstr("network.weights"));
}

TEST_F(ModelPackageFiles, WithOneNetworkGiveThatUnlessTheOtherIsAskedFor) {
  const auto package = load_package(folder_);
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(*package->card.network.file(), "network.onnx");
  const auto int8 = package->card.network.file(Precision::kInt8);
  ASSERT_FALSE(int8.ok());
  EXPECT_EQ(int8.error().code, ErrorCode::kNotFound);
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
  const auto written = write_package(folder_, card_, {kNetwork});
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(written.error().message, HasSubstr("threshold"));
}

}  // namespace
}  // namespace xray
