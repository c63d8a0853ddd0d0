#include "model/card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

ModelCard example_card() {
  ModelCard card;
  card.name = "example";
  card.version = "1.2";
  card.network = {.fp32 = {"network.onnx", std::string(64, 'a')},
                  .int8 = PackageFile{"small.onnx", std::string(64, 'b')}};
  card.input = {.width = 96, .height = 64, .normalisation = Normalisation::kFixed, .mean = 100, .scale = 50};
  card.classes = {"normal", "bacterial", "viral"};
  card.calibration = {.temperature = 1.5, .slope = 0.9, .intercept = -0.25};
  card.threshold = 0.4;
  card.about = {{"licence", "Apache-2.0"}, {"quality", {{"auc", 0.99}}}};
  return card;
}

TEST(ModelCard, SurvivesARoundTripThroughText) {
  const ModelCard card = example_card();
  const auto back = card_from_json(Json::parse(to_json(card).dump()));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->name, "example");
  EXPECT_EQ(back->version, "1.2");
  EXPECT_EQ(back->id(), "example 1.2");
  EXPECT_EQ(back->network.fp32.name, "network.onnx");
  EXPECT_EQ(back->network.fp32.sha256, card.network.fp32.sha256);
  ASSERT_TRUE(back->network.int8);
  EXPECT_EQ(back->network.int8->name, "small.onnx");
  EXPECT_EQ(back->network.int8->sha256, card.network.int8->sha256);
  EXPECT_EQ(back->input.width, 96);
  EXPECT_EQ(back->input.height, 64);
  EXPECT_EQ(back->input.normalisation, Normalisation::kFixed);
  EXPECT_EQ(back->input.mean, 100.0F);
  EXPECT_EQ(back->input.scale, 50.0F);
  EXPECT_EQ(back->classes, card.classes);
  EXPECT_EQ(back->calibration.temperature, 1.5);
  EXPECT_EQ(back->calibration.slope, 0.9);
  EXPECT_EQ(back->calibration.intercept, -0.25);
  EXPECT_EQ(back->threshold, 0.4);
  EXPECT_EQ(back->about, card.about);
}

TEST(ModelCard, WritesWhatIsForPeopleBehindWhatIsForTheProgram) {
  const Json json = to_json(example_card());
  EXPECT_EQ(json.begin().key(), "format");
  EXPECT_EQ((--json.end()).key(), "quality");
  EXPECT_EQ(json["licence"], "Apache-2.0");
}

TEST(ModelCard, PerImageNormalisationNeedsNoNumbers) {
  ModelCard card = example_card();
  card.input.normalisation = Normalisation::kPerImage;
  const Json json = to_json(card);
  EXPECT_FALSE(json["input"].contains("mean"));
  const auto back = card_from_json(json);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->input.normalisation, Normalisation::kPerImage);
}

TEST(ModelCard, NeedsNoNetworkInEightBit) {
  ModelCard card = example_card();
  card.network.int8.reset();
  const Json json = to_json(card);
  EXPECT_FALSE(json["network"].contains("int8"));
  const auto back = card_from_json(json);
  ASSERT_TRUE(back.ok());
  EXPECT_FALSE(back->network.int8);
}

TEST(ModelCard, RefusesAnAboutThatHidesATypedField) {
  ModelCard card = example_card();
  card.about["threshold"] = 0.9;
  EXPECT_THROW(to_json(card), std::invalid_argument);
}

ModelCard lung_card() {
  ModelCard card = example_card();
  card.input.framing = Framing::kLungs;
  card.input.margin = 0.08;
  card.input.tone = Tone::kEqualise;
  card.lungs = LungModel{.network = {.fp32 = {"lungs.onnx", std::string(64, 'b')}, .int8 = {}},
                         .input = {.width = 64, .height = 48},
                         .about = {{"quality", {{"dice", 0.96}}}}};
  return card;
}

TEST(ModelCard, CarriesWhereNoVerdictIsGiven) {
  ModelCard card = example_card();
  EXPECT_FALSE(to_json(card).contains("undecided"));
  card.undecided = {card.threshold / 2, (1 + card.threshold) / 2};
  const auto back = card_from_json(Json::parse(to_json(card).dump()));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->undecided.low, card.undecided.low);
  EXPECT_EQ(back->undecided.high, card.undecided.high);
  Json elsewhere = to_json(card);
  elsewhere["undecided"]["high"] = card.threshold / 2;
  EXPECT_EQ(card_from_json(elsewhere).error().code, ErrorCode::kBadModel);
}

TEST(ModelCard, CarriesTheLungNetwork) {
  const ModelCard card = lung_card();
  const auto back = card_from_json(Json::parse(to_json(card).dump()));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->input.framing, Framing::kLungs);
  EXPECT_EQ(back->input.margin, 0.08);
  EXPECT_EQ(back->input.tone, Tone::kEqualise);
  ASSERT_TRUE(back->lungs.has_value());
  EXPECT_EQ(back->lungs->network.fp32.name, "lungs.onnx");
  EXPECT_EQ(back->lungs->network.fp32.sha256, std::string(64, 'b'));
  EXPECT_EQ(back->lungs->input.height, 48);
  EXPECT_EQ(back->lungs->about, card.lungs->about);
}

TEST(ModelCard, RefusesLungsWithoutTheirFramingAndTheReverse) {
  Json without = to_json(lung_card());
  without.erase("lungs");
  EXPECT_EQ(card_from_json(without).error().code, ErrorCode::kBadModel);
  Json unframed = to_json(lung_card());
  unframed["input"].erase("framing");
  unframed["input"].erase("margin");
  unframed["input"].erase("tone");
  EXPECT_EQ(card_from_json(unframed).error().code, ErrorCode::kBadModel);
  Json outside = to_json(lung_card());
  outside["lungs"]["network"]["file"] = "../lungs.onnx";
  EXPECT_THAT(card_from_json(outside).error().message, HasSubstr("lungs.network.file"));
}

/// A field spoiled, and how the refusal names it.
struct Spoiled {
  const char* name;
  std::function<void(Json&)> spoil;
  const char* named;
};

class SpoiledCard : public ::testing::TestWithParam<Spoiled> {};

TEST_P(SpoiledCard, IsRefusedByTheNameOfTheField) {
  Json json = to_json(example_card());
  GetParam().spoil(json);
  const auto card = card_from_json(json);
  ASSERT_FALSE(card.ok());
  EXPECT_EQ(card.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(card.error().message, HasSubstr(std::string(": ") + GetParam().named + " is "));
}

INSTANTIATE_TEST_SUITE_P(
    EveryField, SpoiledCard,
    ::testing::Values(
        Spoiled{"NotAnObject", [](Json& j) { j = Json::array(); }, "the card"},
        Spoiled{"FormatMissing", [](Json& j) { j.erase("format"); }, "format"},
        Spoiled{"FormatNewer", [](Json& j) { j["format"] = 2; }, "format"},
        Spoiled{"NameMissing", [](Json& j) { j.erase("name"); }, "name"},
        Spoiled{"NameEmpty", [](Json& j) { j["name"] = ""; }, "name"},
        Spoiled{"VersionNumber", [](Json& j) { j["version"] = 1.2; }, "version"},
        Spoiled{"NetworkMissing", [](Json& j) { j.erase("network"); }, "network"},
        Spoiled{"NetworkText", [](Json& j) { j["network"] = "network.onnx"; }, "network"},
        Spoiled{"FileMissing", [](Json& j) { j["network"].erase("file"); }, "network.file"},
        Spoiled{"FileOutside", [](Json& j) { j["network"]["file"] = "../network.onnx"; }, "network.file"},
        Spoiled{"FileParent", [](Json& j) { j["network"]["file"] = ".."; }, "network.file"},
        Spoiled{"ShaShort", [](Json& j) { j["network"]["sha256"] = "abc"; }, "network.sha256"},
        Spoiled{"ShaUpper", [](Json& j) { j["network"]["sha256"] = std::string(64, 'A'); }, "network.sha256"},
        Spoiled{"NetworkUnknown", [](Json& j) { j["network"]["url"] = "x"; }, "network.url"},
        Spoiled{"Int8Text", [](Json& j) { j["network"]["int8"] = "small.onnx"; }, "network.int8"},
        Spoiled{"Int8Outside", [](Json& j) { j["network"]["int8"]["file"] = "a/b"; }, "network.int8.file"},
        Spoiled{"Int8TheSame", [](Json& j) { j["network"]["int8"]["file"] = "network.onnx"; },
                "network.int8"},
        Spoiled{"Int8ShaMissing", [](Json& j) { j["network"]["int8"].erase("sha256"); },
                "network.int8.sha256"},
        Spoiled{"Int8Unknown", [](Json& j) { j["network"]["int8"]["scale"] = 1; }, "network.int8.scale"},
        Spoiled{"InputMissing", [](Json& j) { j.erase("input"); }, "input"},
        Spoiled{"WidthZero", [](Json& j) { j["input"]["width"] = 0; }, "input.width"},
        Spoiled{"WidthHuge", [](Json& j) { j["input"]["width"] = 1LL << 40; }, "input.width"},
        Spoiled{"HeightFraction", [](Json& j) { j["input"]["height"] = 64.5; }, "input.height"},
        Spoiled{"NormalisationUnknown", [](Json& j) { j["input"]["normalisation"] = "x"; },
                "input.normalisation"},
        Spoiled{"MeanText", [](Json& j) { j["input"]["mean"] = "100"; }, "input.mean"},
        Spoiled{"ScaleZero", [](Json& j) { j["input"]["scale"] = 0; }, "input.scale"},
        Spoiled{"ScaleTooSmallForAFloat", [](Json& j) { j["input"]["scale"] = 1e-300; }, "input.scale"},
        Spoiled{"MeanTooLargeForAFloat", [](Json& j) { j["input"]["mean"] = 1e300; }, "input.mean"},
        Spoiled{"InputUnknown", [](Json& j) { j["input"]["crop"] = 0.9; }, "input.crop"},
        Spoiled{"ClassesMissing", [](Json& j) { j.erase("classes"); }, "classes"},
        Spoiled{"ClassesNumbers", [](Json& j) { j["classes"] = {1, 2}; }, "classes"},
        Spoiled{"ClassesSwapped", [](Json& j) { j["classes"] = {"pneumonia", "normal"}; }, "classes"},
        Spoiled{"CalibrationMissing", [](Json& j) { j.erase("calibration"); }, "calibration"},
        Spoiled{"TemperatureZero", [](Json& j) { j["calibration"]["temperature"] = 0; },
                "calibration.temperature"},
        Spoiled{"TemperatureTiny", [](Json& j) { j["calibration"]["temperature"] = 1e-310; },
                "calibration.temperature"},
        Spoiled{"SlopeNegative", [](Json& j) { j["calibration"]["slope"] = -1; }, "calibration.slope"},
        Spoiled{"InterceptNull", [](Json& j) { j["calibration"]["intercept"] = nullptr; },
                "calibration.intercept"},
        Spoiled{"CalibrationUnknown", [](Json& j) { j["calibration"]["bias"] = 0; }, "calibration.bias"},
        Spoiled{"ThresholdMissing", [](Json& j) { j.erase("threshold"); }, "threshold"},
        Spoiled{"ThresholdPercent", [](Json& j) { j["threshold"] = 50; }, "threshold"},
        Spoiled{"ThresholdOne", [](Json& j) { j["threshold"] = 1; }, "threshold"},
        Spoiled{"NestedWithoutEnd",
                [](Json& j) {
                  j["quality"] = Json::parse(std::string(500'000, '[') + std::string(500'000, ']'));
                },
                "quality"}),
    [](const auto& spoiled) { return spoiled.param.name; });

}  // namespace
}  // namespace xray
