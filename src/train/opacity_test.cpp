#include "train/opacity.h"

#include <gtest/gtest.h>

#include "support/phantom.h"
#include "support/temp_dir.h"
#include "train/picture_set.h"

namespace xray {
namespace {

constexpr int kSide = 64;

/// A drawn chest whose lungs are known; normal unless `opacity` is laid in.
TrainingPicture chest(std::uint64_t seed, double opacity) {
  const test::PhantomOptions options{.width = kSide, .height = kSide, .seed = seed, .opacity = opacity};
  TrainingPicture picture = whole_picture(test::make_phantom(options), opacity > 0 ? 1 : 0);
  const Image lungs = test::make_phantom_lungs(options);
  picture.mask.assign(lungs.pixels8().begin(), lungs.pixels8().end());
  for (std::size_t i = 0; i < picture.mask.size(); ++i) {
    const auto third = static_cast<int>(i) / kSide * 3 / kSide;
    const int side = static_cast<int>(i) % kSide < kSide / 2 ? 0 : 3;
    picture.zones.push_back(picture.mask[i] > 127 ? static_cast<std::uint8_t>(1 + side + third) : 0);
  }
  return picture;
}

TrainOptions quick() {
  TrainOptions options = opacity_train_options();
  options.input_size = kSide;
  options.frozen = 0;
  options.epochs = 10;
  options.batch_size = 8;
  options.precision = "fp32";
  options.threads = 1;
  options.augment = no_augmentation();
  options.augment.consolidation = 0.67;
  return options;
}

TEST(TrainOpacity, LearnsFromDrawnFilmsWholeFilmsAndScoredOnes) {
  OpacityTask task;
  for (std::uint64_t seed = 0; seed < 16; ++seed) task.training.push_back(chest(seed, 0));
  for (std::uint64_t seed = 16; seed < 24; ++seed) {
    task.training.push_back(chest(seed, 0.8));
    if (seed < 20) task.training.back().zone_scores = {0, 1, 2, 3, 2, 1};
  }
  task.validation = {chest(30, 0), chest(31, 0.8)};
  const Preprocessor preprocessor({.width = kSide, .height = kSide});
  const test::TempDir dir;
  std::vector<double> losses;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochReport& report) {
    losses.push_back(report.train_loss);
    ASSERT_EQ(report.validation.front().first, "AUC");
  };
  const auto network = train_opacity(quick(), task, preprocessor, dir / "run", callbacks, {});
  ASSERT_TRUE(network) << network.error().message;
  ASSERT_EQ(losses.size(), 10U);
  EXPECT_LT(losses.back(), losses.front());

  const std::vector<OpacityMap> maps = predict_opacity(**network, task.validation, preprocessor);
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[0].width, kSide / 8);
  ASSERT_EQ(maps[0].opacity.size(), static_cast<std::size_t>(kSide / 8) * (kSide / 8));
  for (const float value : maps[0].opacity) {
    EXPECT_GE(value, 0);
    EXPECT_LE(value, 1);
  }

  // Further training begins with its weights.
  OpacityTask further{.training = task.training, .validation = {}, .start = network->get()};
  TrainOptions still = quick();
  still.epochs = 1;
  still.learning_rate = 1e-12;
  still.weight_decay = 0;
  still.ema = 0;
  const auto same = train_opacity(still, further, preprocessor, dir / "further", {}, {});
  ASSERT_TRUE(same) << same.error().message;
  const auto before = (*network)->named_parameters();
  for (const auto& item : (*same)->named_parameters())
    EXPECT_TRUE(torch::allclose(item.value(), before[item.key()], 1e-4, 1e-6)) << item.key();
}

TEST(TrainOpacity, RefusesANetworkWithoutStages) {
  TrainOptions options = quick();
  options.architecture = "cnn3";
  const test::TempDir dir;
  const auto network =
      train_opacity(options, {}, Preprocessor({.width = kSide, .height = kSide}), dir.path(), {}, {});
  EXPECT_EQ(network.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
