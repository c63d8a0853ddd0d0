#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/result.h"
#include "network/architecture.h"

namespace xray {

/// Finds what is opaque in lungs: a backbone whose maps at an eighth, a sixteenth and a
/// thirty-second of the picture's size are added up on the way back to an eighth (feature
/// pyramid, Lin 2017). Not thread-safe.
class OpacityNet : public torch::nn::Module {
 public:
  /// N x 1 x H x W -> N x H/8 x W/8, log-odds of opacity: 1 where a cell is as white as
  /// consolidation, less where it is thinner or smaller than the cell. H and W multiples of 32.
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;

  /// The network in evaluation mode as an ONNX file: input "image" (N x 1 x height x
  /// width), output "opacity" (N x 1 x height/8 x width/8, log-odds).
  virtual std::string to_onnx(int height, int width) = 0;

  /// As those of Classifier.
  virtual Result<Done> load_pretrained(const std::filesystem::path& safetensors) = 0;
  virtual void meet_pictures(const torch::Tensor& batch) = 0;
};

/// Random weights; torch::manual_seed decides them. `architecture` is none of the plain ones.
std::shared_ptr<OpacityNet> make_opacity_net(const Architecture& architecture, int frozen, double drop_path);

}  // namespace xray
