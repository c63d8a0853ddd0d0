#include "network/opacity_net.h"

#include <cmath>
#include <vector>

#include "model/onnx_writer.h"
#include "network/conv_unit.h"
#include "network/mobile_backbone.h"

namespace xray {
namespace {

using torch::Tensor;

/// Channels of every stage on the way back.
constexpr int kWidth = 48;
/// Most cells are clear: where training begins.
constexpr double kFirstLogOdds = -2;

class Pyramid final : public OpacityNet {
 public:
  Pyramid(const Architecture& net, int frozen, double drop_path)
      : backbone_(*this, net, {.frozen = frozen, .drop_path = drop_path}) {
    const auto [eighth, sixteenth, last] = backbone_.widths();
    const auto add = [&](const char* name, int in, int kernel, bool linear) {
      return register_module(name, ConvUnit(in, kWidth, kernel, 1, 1, linear));
    };
    from_last_ = add("from_last", last, 1, true);
    from_sixteenth_ = add("from_sixteenth", sixteenth, 1, true);
    from_eighth_ = add("from_eighth", eighth, 1, true);
    merge_sixteenth_ = add("merge_sixteenth", kWidth, 3, false);
    merge_eighth_ = add("merge_eighth", kWidth, 3, false);
    out_ = register_module("out", torch::nn::Conv2d(torch::nn::Conv2dOptions(kWidth, 1, 1)));
    torch::NoGradGuard no_grad;
    out_->bias.fill_(kFirstLogOdds);
  }

  Tensor forward(const Tensor& gray) override {
    const auto [eighth, sixteenth, last] = backbone_.forward(gray);
    const auto enlarged = [](const Tensor& x, const Tensor& as) {
      return torch::upsample_nearest2d(x, {as.size(2), as.size(3)});
    };
    Tensor x = from_last_->forward(last);
    x = merge_sixteenth_->forward(from_sixteenth_->forward(sixteenth) + enlarged(x, sixteenth));
    x = merge_eighth_->forward(from_eighth_->forward(eighth) + enlarged(x, eighth));
    return out_->forward(x).squeeze(1);
  }

  std::string to_onnx(int height, int width) override {
    torch::NoGradGuard no_grad;
    OnnxWriter onnx("opacity");
    const auto [eighth, sixteenth, last] =
        backbone_.write(onnx, onnx.input("image", 1, height, width), height, width);
    const auto layer = [&](ConvUnit& unit, const std::string& x, const MobileBackbone::Written::Value& size) {
      int h = size.height;
      int w = size.width;
      return unit->write(onnx, x, h, w);
    };
    std::string x = layer(from_last_, last.name, last);
    x = onnx.add(layer(from_sixteenth_, sixteenth.name, sixteenth), onnx.upsample_nearest(x, 2));
    x = layer(merge_sixteenth_, x, sixteenth);
    x = onnx.add(layer(from_eighth_, eighth.name, eighth), onnx.upsample_nearest(x, 2));
    x = layer(merge_eighth_, x, eighth);
    const std::vector<float> weights = to_vector(out_->weight);
    const std::vector<float> bias = to_vector(out_->bias);
    x = onnx.conv(x, {.in = kWidth, .out = 1, .weights = weights, .bias = bias});
    onnx.output(x, "opacity", {-1, 1, eighth.height, eighth.width});
    return onnx.finish();
  }

  Result<Done> load_pretrained(const std::filesystem::path& safetensors) override {
    return backbone_.load_pretrained(safetensors);
  }
  void meet_pictures(const Tensor& batch) override { backbone_.meet_pictures(batch); }

 private:
  MobileBackbone backbone_;
  ConvUnit from_last_ = nullptr;
  ConvUnit from_sixteenth_ = nullptr;
  ConvUnit from_eighth_ = nullptr;
  ConvUnit merge_sixteenth_ = nullptr;
  ConvUnit merge_eighth_ = nullptr;
  torch::nn::Conv2d out_ = nullptr;
};

}  // namespace

std::shared_ptr<OpacityNet> make_opacity_net(const Architecture& architecture, int frozen, double drop_path) {
  return std::make_shared<Pyramid>(architecture, frozen, drop_path);
}

}  // namespace xray
