#include "network/lung_net.h"

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "model/onnx_writer.h"
#include "network/conv_unit.h"

namespace xray {
namespace {

using torch::Tensor;

/// Channels at a half, a quarter, an eighth and a sixteenth of the input.
constexpr std::array kWidths{24, 48, 96, 128};
/// Output pixels per cell of the first stage, in each direction.
constexpr int kUp = 2;

class UNet final : public LungNet {
 public:
  UNet() {
    int in = 1;
    for (std::size_t i = 0; i < kWidths.size(); ++i) {
      const int out = kWidths[i];
      const std::string stage = std::to_string(i);
      down_.push_back(register_module("down" + stage, ConvUnit(in, out, 3, 2, 1, false)));
      encode_.push_back(register_module("encode" + stage, ConvUnit(out, out, 3, 1, 1, false)));
      in = out;
    }
    bottom_ = register_module("bottom", ConvUnit(in, in, 3, 1, 1, false));
    for (std::size_t i = kWidths.size() - 1; i-- > 0;) {
      const std::string stage = std::to_string(i);
      narrow_.push_back(
          register_module("narrow" + stage, ConvUnit(kWidths[i + 1], kWidths[i], 1, 1, 1, true)));
      decode_.push_back(register_module("decode" + stage, ConvUnit(kWidths[i], kWidths[i], 3, 1, 1, false)));
    }
    out_ = register_module("out",
                           torch::nn::Conv2d(torch::nn::Conv2dOptions(kWidths[0], kUp * kUp, 3).padding(1)));
  }

  Tensor forward(const Tensor& gray) override {
    Tensor x = channels_last(gray);
    std::vector<Tensor> kept;
    for (std::size_t i = 0; i < down_.size(); ++i) {
      x = encode_[i]->forward(down_[i]->forward(x));
      kept.push_back(x);
    }
    x = bottom_->forward(x);
    for (std::size_t i = 0; i < decode_.size(); ++i) {
      const Tensor& skip = kept[kept.size() - 2 - i];
      x = torch::upsample_nearest2d(narrow_[i]->forward(x), {skip.size(2), skip.size(3)});
      x = decode_[i]->forward(x + skip);
    }
    return torch::pixel_shuffle(out_->forward(x).contiguous(), kUp);
  }

  std::string to_onnx(int height, int width) override {
    torch::NoGradGuard no_grad;
    OnnxWriter onnx("lung-field");
    std::string x = onnx.input("image", 1, height, width);
    int h = height;
    int w = width;
    std::vector<std::string> kept;
    for (std::size_t i = 0; i < down_.size(); ++i) {
      x = down_[i]->write(onnx, x, h, w);
      x = encode_[i]->write(onnx, x, h, w);
      kept.push_back(x);
    }
    x = bottom_->write(onnx, x, h, w);
    for (std::size_t i = 0; i < decode_.size(); ++i) {
      x = onnx.upsample_nearest(narrow_[i]->write(onnx, x, h, w), 2);
      h *= 2;
      w *= 2;
      x = decode_[i]->write(onnx, onnx.add(x, kept[kept.size() - 2 - i]), h, w);
    }
    const std::vector<float> weights = to_vector(out_->weight);
    const std::vector<float> bias = to_vector(out_->bias);
    x = onnx.conv(x, {.in = kWidths[0],
                      .out = kUp * kUp,
                      .kernel = 3,
                      .pads = {1, 1, 1, 1},
                      .weights = weights,
                      .bias = bias});
    onnx.output(onnx.depth_to_space(x, kUp), "lungs", {-1, 1, height, width});
    return onnx.finish();
  }

 private:
  std::vector<ConvUnit> down_;
  std::vector<ConvUnit> encode_;
  ConvUnit bottom_ = nullptr;
  std::vector<ConvUnit> narrow_;
  std::vector<ConvUnit> decode_;
  torch::nn::Conv2d out_ = nullptr;
};

}  // namespace

std::shared_ptr<LungNet> make_lung_net() {
  return std::make_shared<UNet>();
}

}  // namespace xray
