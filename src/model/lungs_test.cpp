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

LungGate example_gate() {
  LungGate gate;
  gate.templates.resize(2);
  for (std::size_t i = 0; i < gate.templates[1].size(); ++i)
    gate.templates[1][i] = static_cast<float>(i) / 255;
  gate.mean.fill(0.25);
  gate.scale.fill(2);
  gate.weights.assign(kGateTerms, 0.5);
  gate.weights[3] = -1.25;
  gate.threshold = 1.5;
  return gate;
}

TEST(LungModelJson, CarriesTheGate) {
  LungModel model;
  model.network.fp32.sha256 = std::string(64, 'a');
  EXPECT_FALSE(to_json(model).contains("gate"));
  model.gate = example_gate();
  const auto back = lung_model_from_json(to_json(model));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_TRUE(back->gate);
  EXPECT_EQ(back->gate->templates, model.gate->templates);
  EXPECT_EQ(back->gate->mean, model.gate->mean);
  EXPECT_EQ(back->gate->scale, model.gate->scale);
  EXPECT_EQ(back->gate->weights, model.gate->weights);
  EXPECT_EQ(back->gate->threshold, model.gate->threshold);
}

TEST(LungModelJson, RefusesABrokenGate) {
  LungModel model;
  model.network.fp32.sha256 = std::string(64, 'a');
  model.gate = example_gate();
  const nlohmann::ordered_json good = to_json(model);
  const auto refused = [&](const char* pointer, const nlohmann::ordered_json& value) {
    nlohmann::ordered_json broken = good;
    broken[nlohmann::ordered_json::json_pointer(pointer)] = value;
    const auto read = lung_model_from_json(broken);
    return !read && read.error().code == ErrorCode::kBadModel;
  };
  EXPECT_TRUE(refused("/gate/weights", {1, 2}));
  EXPECT_TRUE(refused("/gate/weights/5", "much"));
  EXPECT_TRUE(refused("/gate/weights", "many"));
  EXPECT_TRUE(refused("/gate/templates", nlohmann::ordered_json::array()));
  EXPECT_TRUE(refused("/gate/templates/0/3", "00"));
  EXPECT_TRUE(refused("/gate/templates/0/3", std::string(32, 'z')));
  EXPECT_TRUE(refused("/gate/templates/0", 7));
  EXPECT_TRUE(refused("/gate/facts/taper/scale", 0));
  EXPECT_TRUE(refused("/gate/threshold", nullptr));
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
