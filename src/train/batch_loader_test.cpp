#include "train/batch_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "train/picture_set.h"

namespace xray {
namespace {

constexpr int kSide = 32;

/// Pictures that can be told apart by their target.
std::vector<TrainingPicture> numbered(int count) {
  std::vector<TrainingPicture> pictures;
  for (int i = 0; i < count; ++i) {
    TrainingPicture picture = whole_picture(Image(kSide, kSide, Image::Pixels8(kSide * kSide)), i);
    for (std::size_t p = 0; p < picture.pixels.size(); ++p)
      picture.pixels[p] = static_cast<std::uint8_t>((p * 7 + static_cast<std::size_t>(i) * 13) % 251);
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

const Preprocessor& preprocessor() {
  static const Preprocessor kPreprocessor({.width = kSide, .height = kSide});
  return kPreprocessor;
}

TEST(BatchLoader, ShowsEveryPictureOncePerEpoch) {
  const auto pictures = numbered(24);
  BatchLoader loader(pictures, preprocessor(), {.batch_size = 8, .threads = 3});
  ASSERT_EQ(loader.batches_per_epoch(), 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::set<std::int64_t> seen;
    for (int step = 0; step < 3; ++step)
      for (const std::int64_t target : loader.next(epoch * 3 + step).targets) seen.insert(target);
    EXPECT_EQ(seen.size(), 24U);
  }
}

TEST(BatchLoader, AnotherEpochHasAnotherOrder) {
  const auto pictures = numbered(64);
  BatchLoader loader(pictures, preprocessor(), {.batch_size = 64, .threads = 1});
  const auto first = loader.next(0).targets;
  EXPECT_NE(loader.next(1).targets, first);
}

TEST(BatchLoader, TeachesConsolidatedFilmsAsEitherKindOfPneumonia) {
  std::vector<TrainingPicture> pictures = numbered(2);
  for (TrainingPicture& picture : pictures) {
    picture.mask.assign(picture.pixels.size(), 255);
    picture.soft = picture.target == 0 ? std::vector<float>{1, 0, 0} : std::vector<float>{0, 0, 1};
  }
  BatchLoader::Options options{.batch_size = 2, .threads = 1, .augment = no_augmentation()};
  options.augment.consolidation = 1;
  const Batch batch = BatchLoader(pictures, preprocessor(), options).next(0);
  ASSERT_EQ(batch.soft.size(), 6U);
  EXPECT_EQ(batch.targets, (std::vector<std::int64_t>{1, 1}));
  std::vector<std::vector<float>> rows{{batch.soft.begin(), batch.soft.begin() + 3},
                                       {batch.soft.begin() + 3, batch.soft.end()}};
  std::ranges::sort(rows);
  EXPECT_EQ(rows[0], (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(rows[1], (std::vector<float>{0, 0.5F, 0.5F}));
}

TEST(BatchLoader, DoesNotGoBack) {
  const auto pictures = numbered(8);
  BatchLoader loader(pictures, preprocessor(), {.batch_size = 4, .threads = 1});
  loader.next(1);
  EXPECT_THROW(loader.next(0), std::logic_error);
}

TEST(BatchLoader, ABatchDependsNeitherOnThreadsNorOnWhereCountingBegan) {
  const auto pictures = numbered(20);
  BatchLoader from_start(pictures, preprocessor(), {.batch_size = 4, .threads = 1, .seed = 9});
  BatchLoader from_middle(pictures, preprocessor(), {.batch_size = 4, .threads = 4, .seed = 9});
  std::vector<Batch> batches;
  for (int step = 0; step < 9; ++step) batches.push_back(from_start.next(step));
  for (int step = 6; step < 9; ++step) {
    const Batch batch = from_middle.next(step);
    EXPECT_EQ(batch.targets, batches[static_cast<std::size_t>(step)].targets);
    EXPECT_EQ(batch.inputs, batches[static_cast<std::size_t>(step)].inputs);
  }
}

TEST(BatchLoader, RefusesFewerPicturesThanABatch) {
  const auto pictures = numbered(3);
  EXPECT_THROW(BatchLoader(pictures, preprocessor(), {.batch_size = 4}), std::invalid_argument);
}

}  // namespace
}  // namespace xray
