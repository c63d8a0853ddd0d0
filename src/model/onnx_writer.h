#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xray {

/// Builds an ONNX file (IR 8, opset 17) operator by operator. A method adds one
/// node and returns the name of its output. Weights are copied. Shapes are the
/// caller's care: ONNX readers check them. Not thread-safe.
class OnnxWriter {
 public:
  explicit OnnxWriter(std::string graph_name);
  ~OnnxWriter();
  OnnxWriter(OnnxWriter&&) noexcept;
  OnnxWriter& operator=(OnnxWriter&&) noexcept;

  /// Input of shape N x channels x height x width, N free.
  std::string input(const std::string& name, int channels, int height, int width);

  /// Weights out x (in / groups) x kernel x kernel, bias out. `pads`: top, left, bottom, right.
  struct Conv {
    int in = 0;
    int out = 0;
    int kernel = 1;
    int stride = 1;
    int groups = 1;
    std::array<int, 4> pads{};
    std::span<const float> weights;
    std::span<const float> bias;
  };
  std::string conv(const std::string& x, const Conv& conv);
  std::string relu(const std::string& x);
  std::string clip(const std::string& x, float low, float high);
  std::string add(const std::string& a, const std::string& b);
  std::string max_pool(const std::string& x, int kernel, int stride);
  /// N x C x H x W -> N x C x (factor * H) x (factor * W), each value repeated.
  std::string upsample_nearest(const std::string& x, int factor);
  /// N x (C * factor^2) x H x W -> N x C x (factor * H) x (factor * W), as
  /// PyTorch's pixel_shuffle orders the channels (ONNX: mode CRD).
  std::string depth_to_space(const std::string& x, int factor);
  /// N x C x H x W -> N x C x 1 x 1.
  std::string global_average_pool(const std::string& x);
  /// N x C x ... -> N x (C * ...).
  std::string flatten(const std::string& x);
  /// x * weights^T + bias; weights out x in.
  std::string linear(const std::string& x, int in, int out, std::span<const float> weights,
                     std::span<const float> bias);

  /// Declares the value `x` an output under `name`; dims of -1 are free.
  void output(const std::string& x, const std::string& name, const std::vector<int>& dims);

  /// The whole file.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace xray
