#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "train/loop.h"
#include "train/trainer.h"

namespace xray {

/// What `network` makes of the pictures without augmentation, in 32-bit floats, in evaluation
/// mode, on the device it is on: `take`(index of the first picture, output) for each batch, the
/// output contiguous on the CPU.
template <typename Network, typename Take>
void predict_batches(Network& network, const std::vector<TrainingPicture>& pictures,
                     const Preprocessor& preprocessor, const Take& take) {
  constexpr std::size_t kBatch = 32;
  torch::NoGradGuard no_grad;
  const bool was_training = network.is_training();
  network.eval();
  const torch::Device device = network.parameters().front().device();
  const std::size_t size = preprocessor.input_size();
  for (std::size_t begin = 0; begin < pictures.size(); begin += kBatch) {
    const std::size_t count = std::min(kBatch, pictures.size() - begin);
    std::vector<float> inputs(count * size);
    for (std::size_t i = 0; i < count; ++i)
      network_input(pictures[begin + i], preprocessor, std::span(inputs.data() + i * size, size));
    take(begin, network.forward(input_tensor(inputs, count, preprocessor.spec(), device))
                    .to(torch::kCPU, torch::kFloat)
                    .contiguous());
  }
  network.train(was_training);
}

}  // namespace xray
