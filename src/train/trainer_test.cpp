#include "train/trainer.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "support/phantom.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

constexpr int kSide = 64;

const Preprocessor& preprocessor() {
  static const Preprocessor kPreprocessor({.width = kSide, .height = kSide});
  return kPreprocessor;
}

/// Clear and white phantoms in turn.
std::vector<TrainingPicture> phantoms(int count, std::uint64_t seed) {
  std::vector<TrainingPicture> pictures;
  for (int i = 0; i < count; ++i) {
    const Plane plane = resize(test::make_phantom({.width = 128,
                                                   .height = 128,
                                                   .seed = seed + static_cast<std::uint64_t>(i),
                                                   .opacity = i % 2 == 0 ? 0.0 : 0.8}),
                               kSide, kSide);
    TrainingPicture picture{.target = i % 2};
    for (const float value : plane.values) picture.pixels.push_back(static_cast<std::uint8_t>(value));
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

TrainOptions small_options() {
  return {.architecture = "cnn3",
          .input_size = kSide,
          .epochs = 3,
          .batch_size = 8,
          .learning_rate = 2e-3,
          .threads = 1,
          .precision = "fp32"};
}

std::vector<float> weights_of(Classifier& network) {
  return predict_logits(network, phantoms(4, 900), preprocessor());
}

class TrainerTest : public testing::Test {
 protected:
  Result<std::shared_ptr<Classifier>> run(const TrainOptions& options, const std::string& name,
                                          const TrainCallbacks& callbacks = {},
                                          const std::stop_token& stop = {}) {
    return train(options, 2, training_, validation_, preprocessor(), dir_ / name, callbacks, stop);
  }
  test::TempDir dir_;
  std::vector<TrainingPicture> training_ = phantoms(32, 1);
  std::vector<TrainingPicture> validation_ = phantoms(16, 500);
};

TEST_F(TrainerTest, LearnsToTellClearFromWhiteLungs) {
  double last_auc = 0;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) { last_auc = report.validation_auc; };
  TrainOptions options = small_options();
  options.epochs = 8;
  options.augment = no_augmentation();
  const auto network = run(options, "run", callbacks);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_GT(last_auc, 0.95);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "run/config.json"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "run/metrics.jsonl"));
}

TEST_F(TrainerTest, ARunThatWasStoppedEndsAsOneThatWasNot) {
  const auto whole = run(small_options(), "whole");
  ASSERT_TRUE(whole) << whole.error().message;

  // Stopped in the middle of the second epoch.
  std::stop_source stop;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) {
    if (report.epoch == 1) stop.request_stop();
  };
  const auto stopped = run(small_options(), "parts", callbacks, stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  const auto resumed = run(small_options(), "parts");
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(weights_of(**resumed), weights_of(**whole));
}

TEST_F(TrainerTest, TheSameSeedGivesTheSameNetworkAndAnotherSeedAnother) {
  TrainOptions options = small_options();
  options.epochs = 1;
  const auto first = run(options, "a");
  const auto second = run(options, "b");
  options.seed = 2;
  const auto third = run(options, "c");
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(weights_of(**first), weights_of(**second));
  EXPECT_NE(weights_of(**first), weights_of(**third));
}

TEST_F(TrainerTest, StopsEarlyAndKeepsTheBestEpochWherePatienceEnds) {
  TrainOptions options = small_options();
  options.epochs = 40;
  options.learning_rate = 0.5;  // far too high, so that it soon gets no better
  options.patience = 2;
  int epochs = 0;
  int best = 0;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) {
    epochs = report.epoch;
    if (report.best) best = report.epoch;
  };
  const auto network = run(options, "run", callbacks);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_EQ(epochs, best + 2);
  EXPECT_LT(epochs, 40);
}

TEST_F(TrainerTest, RefusesToGoOnWithOtherOptions) {
  TrainOptions options = small_options();
  options.epochs = 1;
  ASSERT_TRUE(run(options, "run"));
  options.learning_rate *= 2;
  const auto other = run(options, "run");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TrainerTest, RefusesWhatItCannotDo) {
  TrainOptions options = small_options();
  options.architecture = "resnet";
  EXPECT_EQ(run(options, "a").error().code, ErrorCode::kInvalidArgument);
  options = small_options();
  options.device = "abacus";
  EXPECT_EQ(run(options, "b").error().code, ErrorCode::kInvalidArgument);
  options = small_options();
  options.batch_size = 1000;
  EXPECT_EQ(run(options, "c").error().code, ErrorCode::kInvalidArgument);
}

TEST(TrainOptions, SurviveJson) {
  TrainOptions options = small_options();
  options.augment.zoom_in = 1.5;
  const auto again = train_options_from_json(to_json(options));
  ASSERT_TRUE(again);
  EXPECT_EQ(to_json(*again), to_json(options));
  EXPECT_EQ(train_options_from_json({{"epochs", "many"}}).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
