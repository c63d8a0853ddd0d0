#include "diagnose/diagnoser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <thread>

#include "image/encode.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// Answers every picture with the same prediction.
class FixedBackend final : public Backend {
 public:
  explicit FixedBackend(Result<Prediction> answer) : answer_(std::move(answer)) {}
  Result<std::vector<Prediction>> infer(std::span<const float>, std::size_t count) override {
    if (!answer_) return answer_.error();
    return std::vector<Prediction>(count, *answer_);
  }

 private:
  Result<Prediction> answer_;
};

Result<Finding> finding_for(const ModelCard& card, Result<Prediction> answer) {
  const Diagnoser diagnoser(card, std::make_unique<FixedBackend>(std::move(answer)));
  return diagnoser.diagnose(test::make_phantom());
}

ModelCard two_class_card() {
  ModelCard card = test::tiny_card();
  card.classes = {"normal", "pneumonia"};
  return card;
}

Bytes phantom_png(double opacity) {
  auto png = encode_png(test::make_phantom({.opacity = opacity}));
  EXPECT_TRUE(png.ok());
  return std::move(*png);
}

TEST(Calibration, WithoutAnyIsTheSoftmaxOfEverythingButNormal) {
  const std::vector<float> logits = {1.0F, 2.0F, 0.5F};
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(0.5);
  EXPECT_NEAR(pneumonia_probability(test::tiny_card(), logits), 1 - std::exp(1.0) / sum, 1e-12);
}

TEST(Calibration, AppliesTemperatureThenPlatt) {
  ModelCard card = two_class_card();
  card.calibration = {.temperature = 2, .slope = 1.5, .intercept = -0.5};
  const std::vector<float> logits = {1.0F, 4.0F};
  EXPECT_NEAR(pneumonia_probability(card, logits), sigmoid(1.5 * (4.0 - 1.0) / 2 - 0.5), 1e-12);
}

TEST(Calibration, StandsLogitsFarApart) {
  const std::vector<float> sure = {-3e30F, 3e30F};
  const std::vector<float> not_at_all = {3e30F, -3e30F};
  EXPECT_EQ(pneumonia_probability(two_class_card(), sure), 1.0);
  EXPECT_EQ(pneumonia_probability(two_class_card(), not_at_all), 0.0);
}

TEST(Diagnoser, PassesItsSelfCheckOnlyWithNumbers) {
  const auto tested = [](Result<Prediction> answer) {
    return Diagnoser(two_class_card(), std::make_unique<FixedBackend>(std::move(answer))).self_check();
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(tested(Prediction{{0.0F, 1.0F}, {}, 0, 0}).ok());
  EXPECT_EQ(tested(Prediction{{0.0F, nan}, {}, 0, 0}).error().code, ErrorCode::kBadModel);
  EXPECT_EQ(tested(Prediction{{0.0F, 1.0F}, {0.0F, nan}, 1, 1}).error().code, ErrorCode::kBadModel);
  EXPECT_EQ(tested(Error{ErrorCode::kInternal, "broken"}).error().message, "self-check: broken");
}

TEST(Diagnoser, ReadsAClearPhantomAsNormalAndAnOpaqueOneAsPneumonia) {
  test::TempDir temp;
  ASSERT_TRUE(test::write_tiny_package(temp / "tiny").ok());
  const auto diagnoser = make_diagnoser(temp / "tiny");
  ASSERT_TRUE(diagnoser.ok()) << diagnoser.error().message;
  const auto clear = (*diagnoser)->diagnose(phantom_png(0));
  const auto opaque = (*diagnoser)->diagnose(phantom_png(1));
  ASSERT_TRUE(clear.ok()) << clear.error().message;
  ASSERT_TRUE(opaque.ok()) << opaque.error().message;
  EXPECT_EQ(clear->verdict, Verdict::kNormal);
  EXPECT_EQ(opaque->verdict, Verdict::kPneumonia);
  EXPECT_EQ(opaque->model, "tiny 1");
  EXPECT_EQ(opaque->width, 448);
  EXPECT_EQ(opaque->height, 384);
  EXPECT_EQ(opaque->heat.width, test::kTinyCells);
  EXPECT_GT(opaque->timing.total, 0);
  EXPECT_GE(opaque->timing.total + 1e-6,
            opaque->timing.decode + opaque->timing.preprocess + opaque->timing.infer);
}

TEST(Diagnoser, GivesTheSameAnswerToManyThreads) {
  test::TempDir temp;
  ASSERT_TRUE(test::write_tiny_package(temp / "tiny").ok());
  const auto diagnoser = make_diagnoser(temp / "tiny");
  ASSERT_TRUE(diagnoser.ok()) << diagnoser.error().message;
  const auto picture = phantom_png(0.5);
  const auto expected = (*diagnoser)->diagnose(picture);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  std::vector<double> answers(8, -1);
  std::vector<std::thread> threads;
  threads.reserve(answers.size());
  for (double& answer : answers) {
    threads.emplace_back([&] {
      const auto finding = (*diagnoser)->diagnose(picture);
      if (finding.ok()) answer = finding->pneumonia;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(answers, Each(expected->pneumonia));
}

TEST(Diagnoser, SplitsPneumoniaIntoBacterialAndViral) {
  const auto finding = finding_for(test::tiny_card(), Prediction{.logits = {0.0F, 2.0F, 1.0F}});
  ASSERT_TRUE(finding.ok());
  ASSERT_TRUE(finding->has_subtype());
  EXPECT_NEAR(finding->bacterial, 100 * sigmoid(1.0), 1e-9);
  EXPECT_DOUBLE_EQ(finding->bacterial + finding->viral, 100);
  EXPECT_DOUBLE_EQ(finding->normal + finding->pneumonia, 100);
}

TEST(Diagnoser, TellsNoSubtypeWhereTheModelKnowsNone) {
  const auto finding = finding_for(two_class_card(), Prediction{.logits = {0.0F, 2.0F}});
  ASSERT_TRUE(finding.ok());
  EXPECT_FALSE(finding->has_subtype());
  EXPECT_TRUE(finding->heat.empty());
}

TEST(Diagnoser, SaysPneumoniaFromTheThresholdOn) {
  ModelCard card = two_class_card();
  card.threshold = 0.5;
  EXPECT_EQ(finding_for(card, Prediction{.logits = {1.0F, 1.0F}})->verdict, Verdict::kPneumonia);
  card.threshold = 0.51;
  EXPECT_EQ(finding_for(card, Prediction{.logits = {1.0F, 1.0F}})->verdict, Verdict::kNormal);
}

TEST(Diagnoser, HeatsOnlyCellsThatReadAsPneumonia) {
  ModelCard card = two_class_card();
  card.threshold = 0.6;
  // Two cells of the map of normal, then of pneumonia: log-odds of -3 and of 3.
  const auto finding = finding_for(
      card, Prediction{.logits = {0, 0.5F}, .maps = {3, -1, 0, 2}, .map_width = 2, .map_height = 1});
  ASSERT_TRUE(finding.ok());
  ASSERT_EQ(finding->heat.values.size(), 2U);
  EXPECT_EQ(finding->heat.values[0], 0.0F);
  EXPECT_NEAR(finding->heat.values[1], 1 - std::exp(-(3 - std::log(0.6 / 0.4)) / 5), 1e-6);
}

TEST(Diagnoser, HeatStandsOutFromThePictureAsAWhole) {
  const ModelCard card = two_class_card();
  // Log-odds of 2, 4, 6 and 8 in four cells, 5 on the whole.
  const auto finding = finding_for(
      card, Prediction{.logits = {0, 5}, .maps = {0, 0, 0, 0, 2, 4, 6, 8}, .map_width = 2, .map_height = 2});
  ASSERT_TRUE(finding.ok());
  const std::vector<float>& heat = finding->heat.values;
  EXPECT_EQ(heat[0], 0.0F);
  EXPECT_EQ(heat[1], 0.0F);
  EXPECT_NEAR(heat[2], heat[3] / 3, 1e-6);
  EXPECT_GT(heat[3], 0.7F);
}

TEST(Diagnoser, EvidenceThatIsTheSameEverywherePointsNowhere) {
  const auto finding = finding_for(
      two_class_card(), Prediction{.logits = {0, 5}, .maps = {0, 0, 5, 5}, .map_width = 2, .map_height = 1});
  ASSERT_TRUE(finding.ok());
  EXPECT_EQ(finding->heat.values, (std::vector<float>{0, 0}));
}

TEST(Diagnoser, PassesOnWhatTheBackendRefuses) {
  const auto finding = finding_for(two_class_card(), Error{ErrorCode::kBusy, "full"});
  ASSERT_FALSE(finding.ok());
  EXPECT_EQ(finding.error().code, ErrorCode::kBusy);
}

TEST(Diagnoser, NeverMakesAFindingOfANetworkThatAnswersNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto finding = finding_for(two_class_card(), Prediction{.logits = {nan, 1.0F}});
  ASSERT_FALSE(finding.ok());
  EXPECT_EQ(finding.error().code, ErrorCode::kInternal);
}

/// Finds the lungs of the phantom that it was made for.
class PhantomLungs final : public LungFinder {
 public:
  explicit PhantomLungs(bool present) : present_(present) {}
  Result<LungField> find(const Image&) override {
    constexpr int kGrid = 64;
    const Plane mask = resize(test::make_phantom_lungs(), kGrid, kGrid);
    LungField field{kGrid, kGrid, mask.values};
    for (float& value : field.probability) value = present_ ? value / 255 : 0;
    return field;
  }

 private:
  bool present_;
};

ModelCard lung_card() {
  ModelCard card = two_class_card();
  card.input.framing = Framing::kLungs;
  card.lungs = LungModel{};
  return card;
}

TEST(Diagnoser, KeepsTheHeatWhereTheLungsAre) {
  // Evidence everywhere, a little more at the left.
  const Prediction prediction{
      .logits = {0, 2}, .maps = {0, 0, 0, 0, 6, 5, 6, 5}, .map_width = 2, .map_height = 2};
  const Diagnoser diagnoser(lung_card(), std::make_unique<FixedBackend>(prediction), {},
                            std::make_unique<PhantomLungs>(true));
  const auto finding = diagnoser.diagnose(test::make_phantom());
  ASSERT_TRUE(finding) << finding.error().message;
  const HeatMap& heat = finding->heat;
  const Plane mask = resize(test::make_phantom_lungs(), heat.width, heat.height);
  double inside = 0;
  double all = 0;
  for (std::size_t i = 0; i < heat.values.size(); ++i) {
    all += static_cast<double>(heat.values[i]);
    inside += static_cast<double>(heat.values[i] * mask.values[i] / 255);
  }
  ASSERT_GT(all, 0);
  EXPECT_GT(inside / all, 0.8);
}

TEST(Diagnoser, RefusesAPictureWithoutLungs) {
  const Diagnoser diagnoser(lung_card(), std::make_unique<FixedBackend>(Prediction{.logits = {0, 2}}), {},
                            std::make_unique<PhantomLungs>(false));
  const auto finding = diagnoser.diagnose(test::make_phantom());
  ASSERT_TRUE(finding) << finding.error().message;
  EXPECT_EQ(finding->verdict, Verdict::kRejected);
  EXPECT_EQ(finding->reasons, std::vector{Reason::kNoLungs});
  EXPECT_TRUE(finding->heat.empty());
}

/// Scores a field by its taper alone: upright lungs are narrow above and wide below.
LungGate taper_gate() {
  LungGate gate;
  gate.templates.resize(1);
  gate.scale.fill(1);
  gate.weights.assign(kGateTerms, 0);
  gate.weights[kFieldFacts.size()] = -10;
  gate.threshold = 1;
  return gate;
}

/// Finds bright cells, so that a picture of lungs is its own field.
class BrightLungs final : public LungFinder {
 public:
  Result<LungField> find(const Image& film) override {
    LungField field{64, 64, resize(film, 64, 64).values};
    for (float& value : field.probability) value = value > 127 ? 1 : 0;
    return field;
  }
};

/// Two bright wedges on black, wide at the foot; `background` on the rest.
Image wedges(bool upside_down, std::uint8_t lung, std::uint8_t background) {
  Image::Pixels8 pixels(std::size_t{224} * 224, background);
  for (int y = 30; y < 200; ++y) {
    const int half = (upside_down ? 230 - y : y) / 6;
    for (const int centre : {70, 154})
      for (int x = centre - half; x < centre + half; ++x)
        pixels[static_cast<std::size_t>(y * 224 + x)] = lung;
  }
  return {224, 224, std::move(pixels)};
}

TEST(Diagnoser, RejectsWhatTheGateDoesNotTakeForAFilmAndSaysHowItLies) {
  ModelCard card = lung_card();
  card.lungs->gate = taper_gate();
  const Diagnoser diagnoser(card, std::make_unique<FixedBackend>(Prediction{.logits = {0, 2}}), {},
                            std::make_unique<BrightLungs>());
  EXPECT_EQ(diagnoser.diagnose(wedges(false, 200, 20))->verdict, Verdict::kPneumonia);

  const auto turned = diagnoser.diagnose(wedges(true, 200, 20));
  ASSERT_TRUE(turned) << turned.error().message;
  EXPECT_EQ(turned->verdict, Verdict::kRejected);
  EXPECT_EQ(turned->reasons, std::vector{Reason::kUpsideDown});

  // Black for white: righted, read, and told.
  const auto inverted = diagnoser.diagnose(wedges(false, 55, 235));
  ASSERT_TRUE(inverted) << inverted.error().message;
  EXPECT_EQ(inverted->verdict, Verdict::kPneumonia);
  EXPECT_EQ(inverted->reasons, std::vector{Reason::kInverted});
}

TEST(Diagnoser, GivesNoVerdictNearTheThreshold) {
  ModelCard card = two_class_card();
  card.undecided = {0.3, 0.7};
  const auto verdict = [&](float logit) {
    const Diagnoser diagnoser(card, std::make_unique<FixedBackend>(Prediction{.logits = {0, logit}}));
    return diagnoser.diagnose(test::make_phantom()).value();
  };
  EXPECT_EQ(verdict(0.1F).verdict, Verdict::kUncertain);
  EXPECT_EQ(verdict(0.1F).reasons, std::vector{Reason::kNearThreshold});
  EXPECT_GT(verdict(0.1F).pneumonia, 50);
  EXPECT_EQ(verdict(2).verdict, Verdict::kPneumonia);
  EXPECT_EQ(verdict(-2).verdict, Verdict::kNormal);
  EXPECT_TRUE(verdict(-2).reasons.empty());
}

/// As opaque everywhere as it is told to be.
class EvenOpacity final : public OpacityFinder {
 public:
  explicit EvenOpacity(float opacity) : opacity_(opacity) {}
  Result<OpacityMap> find(const Image&, const LungField&) override {
    return OpacityMap{2, 2, std::vector<float>(4, opacity_), {0, 0, kFilmSide, kFilmSide}};
  }

 private:
  float opacity_;
};

TEST(Diagnoser, TellsSeverityAndDoubtsANormalVerdictOnOpaqueLungs) {
  const auto read = [](float logit, float opacity) {
    SeverityModel model;
    model.hardly_normal = 3;
    const Diagnoser diagnoser(lung_card(), std::make_unique<FixedBackend>(Prediction{.logits = {0, logit}}),
                              {}, std::make_unique<PhantomLungs>(true),
                              SeverityPart{model, std::make_unique<EvenOpacity>(opacity)});
    return diagnoser.diagnose(test::make_phantom()).value();
  };
  const Finding ill = read(2, 0.7F);
  EXPECT_EQ(ill.verdict, Verdict::kPneumonia);
  ASSERT_TRUE(ill.severity);
  EXPECT_NEAR(ill.severity->score, 12.6, 1e-4);
  EXPECT_DOUBLE_EQ(ill.severity->extent, 100);
  EXPECT_GT(*std::ranges::max_element(ill.heat.values), 0.4F);

  EXPECT_EQ(read(-2, 0.1F).verdict, Verdict::kNormal);
  const Finding doubtful = read(-2, 0.5F);
  EXPECT_EQ(doubtful.verdict, Verdict::kUncertain);
  EXPECT_EQ(doubtful.reasons, std::vector{Reason::kOpacity});
  EXPECT_LT(doubtful.pneumonia, 50);
}

TEST(Diagnoser, NeedsLungsForSeverity) {
  EXPECT_THROW(Diagnoser(two_class_card(), std::make_unique<FixedBackend>(Prediction{}), {}, nullptr,
                         SeverityPart{SeverityModel{}, std::make_unique<EvenOpacity>(0.0F)}),
               std::invalid_argument);
}

TEST(Diagnoser, NeedsALungFinderExactlyWhereTheCardFramesByLungs) {
  EXPECT_THROW(Diagnoser(lung_card(), std::make_unique<FixedBackend>(Prediction{})), std::invalid_argument);
  EXPECT_THROW(Diagnoser(two_class_card(), std::make_unique<FixedBackend>(Prediction{}), {},
                         std::make_unique<PhantomLungs>(true)),
               std::invalid_argument);
}

TEST(Diagnoser, RefusesBytesThatAreNoPicture) {
  const Diagnoser diagnoser(two_class_card(),
                            std::make_unique<FixedBackend>(Prediction{.logits = {0.0F, 1.0F}}));
  const std::string text = "This is a letter, not a film.";
  const auto finding = diagnoser.diagnose(std::as_bytes(std::span(text)));
  ASSERT_FALSE(finding.ok());
  EXPECT_EQ(finding.error().code, ErrorCode::kNotAPicture);
}

TEST(Diagnoser, RefusesAPictureOfOneFlatGray) {
  const Diagnoser diagnoser(two_class_card(),
                            std::make_unique<FixedBackend>(Prediction{.logits = {0.0F, 1.0F}}));
  const auto finding = diagnoser.diagnose(Image(64, 64, Image::Pixels8(4096, 77)));
  ASSERT_TRUE(finding.ok());
  EXPECT_EQ(finding->verdict, Verdict::kRejected);
  EXPECT_EQ(finding->reasons, std::vector{Reason::kFlat});
  const auto small = diagnoser.diagnose(Image(20, 64, Image::Pixels8(1280, 77)));
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(small->reasons, std::vector{Reason::kTooSmall});
}

TEST(Diagnoser, KeepsTheLimitOnPixels) {
  const Diagnoser diagnoser(two_class_card(),
                            std::make_unique<FixedBackend>(Prediction{.logits = {0.0F, 1.0F}}),
                            {.max_pixels = 1000});
  const auto finding = diagnoser.diagnose(phantom_png(0));
  ASSERT_FALSE(finding.ok());
  EXPECT_EQ(finding.error().code, ErrorCode::kTooLarge);
}

TEST(ShippedPackage, LiesBesideTheBuildTree) {
  test::TempDir temp;
  ASSERT_TRUE(test::write_tiny_package(temp / "models/tiny").ok());
  std::filesystem::create_directories(temp / "models/notes");
  const auto package = shipped_package(temp / "build/release/xray");
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_TRUE(std::filesystem::equivalent(*package, temp / "models/tiny"));
}

TEST(ShippedPackage, LiesUnderShareAfterInstallation) {
  test::TempDir temp;
  ASSERT_TRUE(test::write_tiny_package(temp / "usr/share/xray/models/tiny").ok());
  const auto package = shipped_package(temp / "usr/bin/xray");
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_TRUE(std::filesystem::equivalent(*package, temp / "usr/share/xray/models/tiny"));
}

TEST(ShippedPackage, HasToBeNamedWhereThereAreSeveral) {
  test::TempDir temp;
  ASSERT_TRUE(test::write_tiny_package(temp / "models/one").ok());
  ASSERT_TRUE(test::write_tiny_package(temp / "models/two").ok());
  const auto package = shipped_package(temp / "build/release/xray");
  ASSERT_FALSE(package.ok());
  EXPECT_THAT(package.error().message, HasSubstr("several"));
}

TEST(ShippedPackage, TellsWhereItWasLookedFor) {
  test::TempDir temp;
  const auto package = shipped_package(temp / "usr/bin/xray");
  ASSERT_FALSE(package.ok());
  EXPECT_EQ(package.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(package.error().message, HasSubstr((temp / "usr/share/xray/models").string()));
}

}  // namespace
}  // namespace xray
