#include "import/import_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json valid() {
  return {{"name", "mine"},
          {"version", "3"},
          {"input",
           {{"width", 160},
            {"height", 128},
            {"channels", "bgr"},
            {"scaling", {{"mean", {1, 2, 3}}, {"std", 4}}},
            {"fit", "pad"},
            {"interpolation", "bilinear"}}},
          {"output", {{"values", "logits"}, {"classes", {"PNEUMONIA", "NORMAL"}}}},
          {"licence", "MIT"}};
}

std::string refusal(const std::function<void(Json&)>& change) {
  Json json = valid();
  change(json);
  const auto card = import_card_from_json(json);
  EXPECT_FALSE(card.ok());
  return card.ok() ? "" : card.error().message;
}

TEST(ImportCard, BecomesThePackagesCardForGrayLevelsOfTheWholeFilm) {
  const auto told = import_card_from_json(valid());
  ASSERT_TRUE(told.ok()) << told.error().message;
  EXPECT_EQ(told->input.channels, ColourChannels::kBgr);
  EXPECT_THAT(told->input.mean, ElementsAre(1, 2, 3));
  EXPECT_THAT(told->input.scale, ElementsAre(4, 4, 4));
  EXPECT_THAT(told->output.classes, ElementsAre("pneumonia", "normal"));
  const ModelCard& card = told->card;
  EXPECT_EQ(card.id(), "mine 3");
  EXPECT_EQ(card.input.width, 160);
  EXPECT_EQ(card.input.fit, Fit::kPad);
  EXPECT_EQ(card.input.interpolation, Interpolation::kBilinear);
  EXPECT_EQ(card.input.normalisation, Normalisation::kFixed);
  EXPECT_EQ(card.input.mean, 0);
  EXPECT_EQ(card.input.scale, 1);
  EXPECT_THAT(card.classes, ElementsAre("normal", "pneumonia"));
  EXPECT_EQ(card.threshold, 0.5);
  EXPECT_EQ(card.about["licence"], "MIT");
  EXPECT_EQ(card.about["as_trained"]["input"], valid()["input"]);
}

TEST(ImportCard, KnowsTheUsualScalings) {
  const auto scaled = [](const char* scaling) {
    Json json = valid();
    json["input"]["scaling"] = scaling;
    const auto told = import_card_from_json(json);
    EXPECT_TRUE(told.ok()) << told.error().message;
    return std::pair((0 - told->input.mean[0]) / told->input.scale[0],
                     (255 - told->input.mean[0]) / told->input.scale[0]);
  };
  EXPECT_EQ(scaled("0..1"), std::pair(0.0, 1.0));
  EXPECT_EQ(scaled("0..255"), std::pair(0.0, 255.0));
  EXPECT_EQ(scaled("-1..1"), std::pair(-1.0, 1.0));
}

TEST(ImportCard, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(refusal([](Json& j) { j["input"].erase("width"); }), HasSubstr("input.width is missing"));
  EXPECT_THAT(refusal([](Json& j) { j["input"]["channels"] = "cmyk"; }), HasSubstr("input.channels"));
  EXPECT_THAT(refusal([](Json& j) { j["input"]["scaling"] = "0..2"; }), HasSubstr("input.scaling"));
  EXPECT_THAT(refusal([](Json& j) { j["input"]["scaling"]["std"] = 0; }), HasSubstr("input.scaling.std"));
  EXPECT_THAT(refusal([](Json& j) { j["input"]["scaling"]["mean"] = {1, 2}; }),
              HasSubstr("input.scaling.mean has not one number for each channel"));
  EXPECT_THAT(refusal([](Json& j) { j["input"]["depth"] = 3; }), HasSubstr("input.depth is not known"));
  EXPECT_THAT(refusal([](Json& j) { j["output"]["classes"] = {"normal", "normal"}; }),
              HasSubstr("output.classes"));
  EXPECT_THAT(refusal([](Json& j) { j["output"]["classes"] = {"bacterial", "viral"}; }),
              HasSubstr("output.classes"));
  EXPECT_THAT(refusal([](Json& j) { j["network"] = "mine.onnx"; }), HasSubstr("network"));
  EXPECT_THAT(refusal([](Json& j) { j["threshold"] = 1; }), HasSubstr("threshold"));
  EXPECT_THAT(refusal([](Json& j) { j = Json::array(); }), HasSubstr("the card is not an object"));
}

}  // namespace
}  // namespace xray
