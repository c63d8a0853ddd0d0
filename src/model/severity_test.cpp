#include "model/severity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::HasSubstr;

SeverityModel example() {
  SeverityModel model;
  model.input.margin = 0.1;
  model.opaque = 0.3;
  model.hardly_normal = 2.5;
  model.hardly_normal_zone = 0.8;
  model.margins = {.score = 4, .score_change = 1.5, .zone_change = 0.4, .extent_change = 8};
  model.about["licence"] = "CC BY-NC-SA 4.0";
  return model;
}

TEST(SeverityModelFiles, ComeBackAsTheyWereWritten) {
  const test::TempDir dir;
  ASSERT_TRUE(write_severity_model(dir / kSeverityFolder, example(), {"network", "the same in 8 bit"}));
  const auto model = load_severity_model(dir / kSeverityFolder);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_DOUBLE_EQ(model->input.margin, 0.1);
  EXPECT_DOUBLE_EQ(model->opaque, 0.3);
  EXPECT_DOUBLE_EQ(model->hardly_normal, 2.5);
  EXPECT_DOUBLE_EQ(model->hardly_normal_zone, 0.8);
  EXPECT_DOUBLE_EQ(model->margins.zone_change, 0.4);
  EXPECT_EQ(model->about["licence"], "CC BY-NC-SA 4.0");
  EXPECT_EQ(read_text(dir / kSeverityFolder / *model->network.file()).value(), "the same in 8 bit");
  EXPECT_EQ(load_severity_model(dir / "none").error().code, ErrorCode::kNotFound);

  ASSERT_TRUE(write_file(dir / kSeverityFolder / "opacity.onnx", std::string("another")));
  EXPECT_EQ(load_severity_model(dir / kSeverityFolder).error().code, ErrorCode::kBadModel);
}

TEST(SeverityModelJson, NamesTheFieldThatIsWrong) {
  SeverityModel model = example();
  model.network.fp32.sha256 = std::string(64, 'a');
  const auto broken = [&](const auto& change) {
    auto json = to_json(model);
    change(json);
    const auto read = severity_model_from_json(json);
    return read ? std::string("read") : read.error().message;
  };
  EXPECT_EQ(broken([](auto&) {}), "read");
  EXPECT_THAT(broken([](auto& json) { json["opaque"] = 1.5; }), HasSubstr("severity.opaque"));
  EXPECT_THAT(broken([](auto& json) { json["margins"].erase("score"); }),
              HasSubstr("severity.margins.score"));
  EXPECT_THAT(broken([](auto& json) { json["margins"]["new"] = 1; }), HasSubstr("severity.margins.new"));
  EXPECT_THAT(broken([](auto& json) { json["input"].erase("framing"); }), HasSubstr("severity.input"));
  EXPECT_THAT(broken([](auto& json) { json.erase("hardly_normal"); }), HasSubstr("severity.hardly_normal"));
}

}  // namespace
}  // namespace xray
