#include "model/lungs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::HasSubstr;

class LungModelFiles : public testing::Test {
 protected:
  void SetUp() override {
    LungModel model;
    model.input = {.width = 64, .height = 48};
    model.about["quality"] = {{"dice", 0.96}};
    const auto written = write_lung_model(dir_ / "lungs", model, {"network", "the same in 8 bit"});
    ASSERT_TRUE(written) << written.error().message;
  }
  test::TempDir dir_;
};

TEST_F(LungModelFiles, ComeBackAsTheyWereWritten) {
  const auto model = load_lung_model(dir_ / "lungs");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->input.width, 64);
  EXPECT_EQ(model->input.height, 48);
  EXPECT_EQ(model->about["quality"]["dice"], 0.96);
  EXPECT_EQ(model->network.fp32.name, "lungs.onnx");
  EXPECT_EQ(read_text(dir_ / "lungs" / *model->network.file()).value(), "the same in 8 bit");
}

TEST_F(LungModelFiles, AreRefusedWhenANetworkWasTamperedWith) {
  ASSERT_TRUE(write_file(dir_ / "lungs/lungs.int8.onnx", std::string_view("another")));
  const auto model = load_lung_model(dir_ / "lungs");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(model.error().message, HasSubstr("lungs.int8.onnx"));
}

TEST_F(LungModelFiles, AreRefusedByNameWhereTheDescriptionIsMissingOrBroken) {
  EXPECT_EQ(load_lung_model(dir_ / "nowhere").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(write_file(dir_ / "lungs/lungs.json", std::string_view("{")));
  EXPECT_EQ(load_lung_model(dir_ / "lungs").error().code, ErrorCode::kBadModel);
  ASSERT_TRUE(write_file(dir_ / "lungs/lungs.json", std::string_view("{\"input\": {}}")));
  EXPECT_THAT(load_lung_model(dir_ / "lungs").error().message, HasSubstr("lungs.network"));
}

}  // namespace
}  // namespace xray
