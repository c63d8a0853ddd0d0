#pragma once

#include <torch/nn/module.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/result.h"
#include "network/architecture.h"
#include "preprocess/preprocess.h"

namespace xray {

/// A network that tells classes apart on gray pictures. Not thread-safe.
class Classifier : public torch::nn::Module {
 public:
  /// N x 1 x H x W -> logits N x classes.
  virtual torch::Tensor forward(torch::Tensor x) = 0;

  /// The network in evaluation mode as an ONNX file, batch norm folded into the
  /// convolutions: input "image" (N x 1 x H x W), outputs "logits" and, where the
  /// network has them, "maps" (N x classes x h x w), whose mean is the logits.
  virtual std::string to_onnx(int height, int width) = 0;

  /// Starts from published weights (scripts/convert-weights); the classifier
  /// layer keeps its random start. kInvalidArgument where the network has none
  /// to start from, kDamaged where the file is of another network.
  virtual Result<Done> load_pretrained(const std::filesystem::path& safetensors) = 0;

  /// Fits published weights to pictures of another kind by one batch (N x 1 x H x W):
  /// batch norm that came folded away starts again (each layer's mean and variance on
  /// the batch become its statistics, gain and bias such that the function stays the
  /// same), and the statistics of frozen layers become those of the batch.
  virtual void meet_pictures(const torch::Tensor& batch) = 0;
};

struct NetworkOptions {
  int classes = 3;
  double dropout = -1;   ///< before the classifier; negative: the architecture's own
  int frozen = 0;        ///< blocks from the front, the stem with them, that are not trained; 0: none
  double drop_path = 0;  ///< chance to skip the last residual block, rising linearly from 0 (Huang 2016)
  int height = 224;      ///< of the input; only the plain CNN's size depends on it
  int width = 224;
};

/// Random weights; torch::manual_seed decides them.
std::shared_ptr<Classifier> make_classifier(const Architecture& architecture, const NetworkOptions& options);

}  // namespace xray
