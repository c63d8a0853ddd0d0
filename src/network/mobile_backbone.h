#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "common/result.h"
#include "model/onnx_writer.h"
#include "network/architecture.h"
#include "network/conv_unit.h"

namespace xray {

/// An inverted residual (Sandler 2018) that may be skipped in training. Not thread-safe.
class BlockImpl : public torch::nn::Module {
 public:
  BlockImpl(const InvertedResidual& spec, double drop_path);

  torch::Tensor forward(const torch::Tensor& x);

  /// All layers in the order of the data by `pass`(layer, its input).
  template <typename Pass>
  torch::Tensor walk(const torch::Tensor& x, const Pass& pass) {
    torch::Tensor y = x;
    for (ConvUnit& unit : units()) y = pass(unit, y);
    return shortcut_ ? x + y : y;
  }

  std::string write(OnnxWriter& onnx, const std::string& x, int& height, int& width);

  /// The convolutions in the order of the data.
  std::vector<ConvUnit> units() const;

 private:
  bool shortcut_;
  double drop_path_;
  ConvUnit expand_ = nullptr;
  ConvUnit depthwise_ = nullptr;
  ConvUnit project_ = nullptr;
};
TORCH_MODULE(Block);

/// What EfficientNet-Lite and MobileNetV2 have in common: stem, inverted residuals, head.
/// Part of a network, with which it registers its layers. Not thread-safe.
class MobileBackbone {
 public:
  struct Options {
    int frozen = 0;        ///< NetworkOptions::frozen
    double drop_path = 0;  ///< NetworkOptions::drop_path
  };

  /// Adds its layers to `owner`.
  MobileBackbone(torch::nn::Module& owner, const Architecture& net, const Options& options);

  /// Channels of what forward() and write() give.
  struct Widths {
    int eighth, sixteenth, last;
  };
  Widths widths() const { return widths_; }

  /// Of an N x 1 x H x W picture: what the last block at an eighth and at a sixteenth of its
  /// size gives, and the head, at a thirty-second.
  struct Features {
    torch::Tensor eighth, sixteenth, last;
  };
  Features forward(const torch::Tensor& gray);

  /// As forward(); the sizes are those of each.
  struct Written {
    struct Value {
      std::string name;
      int height, width;
    };
    Value eighth, sixteenth, last;
  };
  Written write(OnnxWriter& onnx, const std::string& image, int height, int width);

  /// Classifier::load_pretrained() and meet_pictures().
  Result<Done> load_pretrained(const std::filesystem::path& safetensors);
  void meet_pictures(const torch::Tensor& batch);

 private:
  /// Stem, the first blocks and, after all of them, the head by `pass`(layer, its input).
  template <typename Pass>
  void walk(torch::Tensor x, std::size_t blocks, const Pass& pass);

  std::string name_;
  std::size_t frozen_;
  std::size_t last_eighth_ = 0;  ///< index of the last block at an eighth of the picture's size
  std::size_t last_sixteenth_ = 0;
  Widths widths_{};
  bool folded_ = false;
  ConvUnit stem_ = nullptr;
  std::vector<Block> blocks_;
  ConvUnit head_ = nullptr;
};

}  // namespace xray
