#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>

namespace xray {

/// Finds the lungs on a film: a U-Net (Ronneberger 2015) of 3x3 convolutions whose
/// first stage works at half the input's resolution and whose last one gives four
/// output pixels per cell (Shi 2016), which keeps it within a few milliseconds of
/// one core. Not thread-safe.
class LungNet : public torch::nn::Module {
 public:
  /// N x 1 x H x W (H and W multiples of 16) -> N x 1 x H x W, log-odds that a
  /// pixel belongs to a lung.
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;

  /// The network in evaluation mode as an ONNX file: input "image" (N x 1 x height
  /// x width), output "lungs" (N x 1 x height x width, log-odds).
  virtual std::string to_onnx(int height, int width) = 0;
};

/// Random weights; torch::manual_seed decides them.
std::shared_ptr<LungNet> make_lung_net();

}  // namespace xray
