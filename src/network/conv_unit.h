#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "model/onnx_writer.h"

namespace xray {

/// The values of a tensor, row-major, on the CPU.
std::vector<float> to_vector(const torch::Tensor& tensor);

/// One channel (N x 1 x H x W) lies in memory the same way in both formats; strides
/// alone can say that channels come last, and everything after the first layer
/// follows them. The CPU's kernels for depthwise convolutions are several times
/// faster that way.
torch::Tensor channels_last(const torch::Tensor& gray);

/// Convolution with TensorFlow's "SAME" padding (what is odd goes to the bottom
/// and the right), batch norm and, unless linear, ReLU6. Not thread-safe.
class ConvUnitImpl : public torch::nn::Module {
 public:
  ConvUnitImpl(int in, int out, int kernel, int stride, int groups, bool linear);

  torch::Tensor forward(const torch::Tensor& x);

  /// The batch norm that does to this layer's output on `x` what it does now, with
  /// the statistics of that output as its own; returns the output.
  torch::Tensor restart(const torch::Tensor& x);

  /// The statistics of this layer's output on `x` become those of its batch norm,
  /// gain and bias stay; returns the new output.
  torch::Tensor adapt(const torch::Tensor& x);

  /// Both throw c10::Error for another shape.
  void set_weight(const torch::Tensor& weight);
  void set_norm(const torch::Tensor& gain, const torch::Tensor& bias, const torch::Tensor& mean,
                const torch::Tensor& variance);
  /// A folded bias as a batch norm that otherwise does nothing.
  void set_bias(const torch::Tensor& bias);

  /// Appends the layer with its batch norm folded in; `height` and `width`, those
  /// of x, become those of the returned value.
  std::string write(OnnxWriter& onnx, const std::string& x, int& height, int& width);

 private:
  torch::Tensor convolve(const torch::Tensor& x);
  torch::Tensor convolve_as_is(const torch::Tensor& x);
  torch::Tensor activate(const torch::Tensor& x) const;

  int kernel_;
  int stride_;
  int groups_;
  bool linear_;
  torch::Tensor weight_;
  torch::nn::BatchNorm2d norm_ = nullptr;
};
TORCH_MODULE(ConvUnit);

}  // namespace xray
