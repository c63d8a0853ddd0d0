#include "train/trainer.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "train/lungs.h"
#include "train/picture_set.h"

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
    pictures.push_back(whole_picture(test::make_phantom({.width = kSide,
                                                         .height = kSide,
                                                         .seed = seed + static_cast<std::uint64_t>(i),
                                                         .opacity = i % 2 == 0 ? 0.0 : 0.8}),
                                     i % 2));
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
  callbacks.on_epoch = [&](const EpochReport& report) { last_auc = report.validation.at(0).second; };
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

TEST_F(TrainerTest, TeachesSoftTargetsWhereThereAreSome) {
  // Labels turned round, but the teachers know better.
  for (TrainingPicture& picture : training_) {
    picture.soft = picture.target == 0 ? std::vector<float>{0.95F, 0.05F} : std::vector<float>{0.05F, 0.95F};
    picture.target = 1 - picture.target;
  }
  double last_auc = 0;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) { last_auc = report.validation.at(0).second; };
  TrainOptions options = small_options();
  options.epochs = 8;
  options.augment = no_augmentation();
  const auto network = run(options, "run", callbacks);
  ASSERT_TRUE(network) << network.error().message;
  EXPECT_GT(last_auc, 0.95);
}

TEST_F(TrainerTest, LearnsWhatItsTeachersSayWhateverTheLabels) {
  TrainOptions options = small_options();
  options.epochs = 8;
  options.augment = no_augmentation();
  ASSERT_TRUE(run(options, "teacher"));
  for (TrainingPicture& picture : training_) picture.target = 1 - picture.target;
  double last_auc = 0;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) { last_auc = report.validation.at(0).second; };
  options.teachers = {(dir_ / "teacher").string()};
  options.seed = 2;
  const auto pupil = run(options, "pupil", callbacks);
  ASSERT_TRUE(pupil) << pupil.error().message;
  EXPECT_GT(last_auc, 0.95);
}

TEST_F(TrainerTest, RefusesTeachersThatCannotTeachIt) {
  TrainOptions options = small_options();
  options.epochs = 1;
  ASSERT_TRUE(run(options, "teacher"));
  options.teachers = {(dir_ / "nobody").string()};
  EXPECT_EQ(run(options, "a").error().code, ErrorCode::kNotFound);
  options.teachers = {(dir_ / "teacher").string()};
  EXPECT_TRUE(read_run(dir_ / "teacher", 2, preprocessor().spec()));
  EXPECT_EQ(read_run(dir_ / "teacher", 3, preprocessor().spec()).error().code, ErrorCode::kDamaged);
  EXPECT_EQ(read_run(dir_ / "teacher", 2, {.width = 32, .height = 32}).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(write_file(dir_ / "teacher/checkpoint.pt", "no archive"));
  EXPECT_EQ(run(options, "b").error().code, ErrorCode::kDamaged);
}

TEST_F(TrainerTest, StartsFromTheMeanOfEarlierRuns) {
  TrainOptions options = small_options();
  options.epochs = 8;
  options.augment = no_augmentation();
  const auto one = run(options, "one");
  options.seed = 2;
  const auto two = run(options, "two");
  ASSERT_TRUE(one && two);
  // Steps too small to lead anywhere: what comes out is what was started from.
  options.epochs = 1;
  options.learning_rate = 1e-12;
  options.weight_decay = 0;
  const auto first_weights = [](const Classifier& network) { return network.parameters().front(); };
  options.soup = {(dir_ / "one").string()};
  const auto same = run(options, "same");
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_TRUE(torch::allclose(first_weights(**same), first_weights(**one)));
  options.soup.push_back((dir_ / "two").string());
  const auto mean = run(options, "mean");
  ASSERT_TRUE(mean) << mean.error().message;
  EXPECT_TRUE(torch::allclose(first_weights(**mean), (first_weights(**one) + first_weights(**two)) / 2));
  options.scale.width = 2;
  options.architecture = "mobilenet-v2";
  EXPECT_EQ(run(options, "other").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TrainerTest, LearnsNothingThatTheOffsetTellsAlready) {
  const auto spread = [&](double certainty) {
    for (TrainingPicture& picture : training_) {
      const auto ill = static_cast<float>(picture.target == 1 ? certainty : -certainty);
      picture.offset = {-ill, ill};
    }
    TrainOptions options = small_options();
    options.label_smoothing = 0;
    const auto network = run(options, "run" + std::to_string(certainty));
    EXPECT_TRUE(network);
    const std::vector<float> logits = predict_logits(**network, validation_, preprocessor());
    double difference = 0;  // of the log-odds between white and clear
    for (std::size_t i = 0; i < validation_.size(); ++i)
      difference +=
          (validation_[i].target == 1 ? 1.0 : -1.0) * static_cast<double>(logits[2 * i + 1] - logits[2 * i]);
    return difference / static_cast<double>(validation_.size());
  };
  const double alone = spread(0);
  EXPECT_GT(alone, 0.5);
  EXPECT_LT(spread(10), alone / 4);
}

TEST(TrainLungs, FindsTheLungsOfPhantoms) {
  const Preprocessor preprocessor({.width = kSide, .height = kSide});
  const auto chests = [](int count, std::uint64_t seed) {
    std::vector<TrainingPicture> pictures;
    for (int i = 0; i < count; ++i) {
      const test::PhantomOptions chest{.width = kSide,
                                       .height = kSide,
                                       .seed = seed + static_cast<std::uint64_t>(i),
                                       .opacity = i % 2 == 0 ? 0.0 : 0.9};
      pictures.push_back(whole_picture(test::make_phantom(chest)));
      const Image lungs = test::make_phantom_lungs(chest);
      pictures.back().mask.assign(lungs.pixels8().begin(), lungs.pixels8().end());
    }
    return pictures;
  };
  const test::TempDir dir;
  TrainOptions options = lung_train_options();
  options.batch_size = 4;
  options.epochs = 12;
  options.ema = 0.9;
  options.threads = 1;
  options.precision = "fp32";
  options.augment = no_augmentation();
  options.augment.opacity = 0.5;
  const auto network = train_lungs(options, chests(16, 1), chests(4, 100), preprocessor, dir / "run", {}, {});
  ASSERT_TRUE(network) << network.error().message;
  for (const double dice : lung_dice(**network, chests(6, 200), preprocessor)) EXPECT_GT(dice, 0.85);
}

TEST(TrainOptions, SurviveJson) {
  TrainOptions options = small_options();
  options.augment.zoom_in = 1.5;
  const auto again = train_options_from_json(to_json(options));
  ASSERT_TRUE(again);
  EXPECT_EQ(to_json(*again), to_json(options));
  EXPECT_EQ(train_options_from_json({{"epochs", "many"}}).error().code, ErrorCode::kInvalidArgument);
}

TEST(TrainOptions, TakeOneAugmentationFromText) {
  AugmentOptions options;
  ASSERT_TRUE(set_augmentation(options, "gamma=0.8"));
  EXPECT_EQ(options.gamma, 0.8);
  for (const char* bad : {"", "gamma", "gamma=", "gamma=x", "gamma=1x", "gam=1", "=1"})
    EXPECT_EQ(set_augmentation(options, bad).error().code, ErrorCode::kInvalidArgument) << bad;
}

}  // namespace
}  // namespace xray
