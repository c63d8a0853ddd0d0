#include "train/batch_loader.h"

#include <chrono>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "preprocess/lung_zones.h"

namespace xray {
namespace {

/// Batches made ahead per thread: enough to ride out an uneven one.
constexpr std::int64_t kAhead = 4;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

BatchLoader::BatchLoader(const std::vector<TrainingPicture>& pictures, const Preprocessor& preprocessor,
                         const Options& options)
    : pictures_(pictures),
      preprocessor_(preprocessor),
      options_(options),
      per_epoch_(static_cast<std::int64_t>(pictures.size()) / options_.batch_size),
      since_(now_seconds()) {
  if (per_epoch_ < 1) throw std::invalid_argument("fewer pictures than one batch takes");
  for (int i = 0; i < options_.threads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
}

Batch BatchLoader::next(std::int64_t step) {
  const double begin = now_seconds();
  std::unique_lock lock(mutex_);
  if (step < next_to_give_) throw std::logic_error("a batch that was given already cannot be made again");
  next_to_give_ = step;
  if (next_to_make_ < 0) next_to_make_ = step;
  changed_.notify_all();
  changed_.wait(lock, [&] { return ready_.contains(step); });
  Batch batch = std::move(ready_.extract(step).mapped());
  next_to_give_ = step + 1;
  changed_.notify_all();
  waited_ += now_seconds() - begin;
  return batch;
}

double BatchLoader::waited_share() {
  const double now = now_seconds();
  const double share = now > since_ ? waited_ / (now - since_) : 0;
  since_ = now;
  waited_ = 0;
  return share;
}

void BatchLoader::work(const std::stop_token& stop) {
  for (;;) {
    std::int64_t step = 0;
    {
      std::unique_lock lock(mutex_);
      const bool wanted = changed_.wait(lock, stop, [&] {
        return next_to_make_ >= 0 && next_to_make_ < next_to_give_ + kAhead * options_.threads;
      });
      if (!wanted) return;
      step = next_to_make_++;
    }
    Batch batch = make(step);
    const std::lock_guard lock(mutex_);
    ready_.emplace(step, std::move(batch));
    changed_.notify_all();
  }
}

namespace {

void add_zones(const TrainingPicture& picture, const Augmented& changed, Batch& batch) {
  batch.zones.insert(batch.zones.end(), changed.zones.begin(), changed.zones.end());
  if (changed.opacity.values.empty())
    batch.opacity.resize(batch.opacity.size() + changed.zones.size());
  else
    batch.opacity.insert(batch.opacity.end(), changed.opacity.values.begin(), changed.opacity.values.end());
  batch.opacity_known.push_back(picture.target == 0 ? 1 : 0);
  for (std::size_t zone = 0; zone < kZones; ++zone)
    batch.zone_scores.push_back(picture.zone_scores.empty() ? -1 : picture.zone_scores[zone]);
}

}  // namespace

Batch BatchLoader::make(std::int64_t step) const {
  const std::int64_t epoch = step / per_epoch_;
  const std::int64_t position = step % per_epoch_;
  std::vector<std::uint32_t> order(pictures_.size());
  std::iota(order.begin(), order.end(), 0U);
  Random(options_.seed).fork(static_cast<std::uint64_t>(epoch)).shuffle(std::span(order));

  const auto size = static_cast<std::size_t>(preprocessor_.input_size());
  const auto count = static_cast<std::size_t>(options_.batch_size);
  const Random source = Random(options_.seed ^ 0xA5A5A5A5U).fork(static_cast<std::uint64_t>(step));
  Batch batch;
  batch.inputs.resize(count * size);
  batch.targets.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const TrainingPicture& picture = pictures_[order[static_cast<std::size_t>(position) * count + i]];
    Random random = source.fork(i);
    const InputSpec& spec = preprocessor_.spec();
    const Augmented changed = augment(picture, spec.width, spec.height, options_.augment, random);
    const std::span<float> input(batch.inputs.data() + i * size, size);
    std::copy(changed.picture.values.begin(), changed.picture.values.end(), input.begin());
    preprocessor_.normalise(input);
    batch.targets[i] = changed.consolidated ? 1 : picture.target;
    if (changed.consolidated && !picture.soft.empty()) {
      // Of what kind nobody knows: all but normal, evenly.
      const auto kinds = static_cast<float>(picture.soft.size() - 1);
      batch.soft.push_back(0);
      batch.soft.insert(batch.soft.end(), picture.soft.size() - 1, 1 / kinds);
    } else {
      batch.soft.insert(batch.soft.end(), picture.soft.begin(), picture.soft.end());
    }
    batch.offset.insert(batch.offset.end(), picture.offset.begin(), picture.offset.end());
    for (const float value : changed.mask.values) batch.masks.push_back(value / 255);
    if (!changed.zones.empty()) add_zones(picture, changed, batch);
  }
  return batch;
}

}  // namespace xray
