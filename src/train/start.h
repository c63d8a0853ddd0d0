#pragma once

#include <algorithm>
#include <filesystem>
#include <vector>

#include "train/batch_loader.h"
#include "train/loop.h"

namespace xray {

/// Published weights for `network` (load_pretrained()), which then meets a first batch of the
/// pictures it will be trained on (meet_pictures()). Failures are those of load_pretrained().
template <typename Network>
Result<Done> start_from(const std::filesystem::path& weights, Network& network,
                        const std::vector<TrainingPicture>& training, const Preprocessor& preprocessor,
                        BatchLoader::Options options) {
  constexpr std::size_t kFirstBatch = 128;
  if (const Result<Done> loaded = network.load_pretrained(weights); !loaded) return loaded.error();
  options.batch_size = static_cast<int>(std::min(kFirstBatch, training.size()));
  options.threads = 1;
  Batch batch = BatchLoader(training, preprocessor, options).next(0);
  network.meet_pictures(input_tensor(batch.inputs, batch.targets.size(), preprocessor.spec(), torch::kCPU));
  return Done{};
}

}  // namespace xray
