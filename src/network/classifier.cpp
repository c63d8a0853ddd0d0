#include "network/classifier.h"

#include <torch/torch.h>

#include <utility>
#include <vector>

#include "model/onnx_writer.h"
#include "network/conv_unit.h"
#include "network/mobile_backbone.h"

namespace xray {
namespace {

using torch::Tensor;

/// EfficientNet-Lite and MobileNetV2: their backbone and a 1x1 convolution whose averaged
/// maps are the logits.
class MobileClassifier final : public Classifier {
 public:
  MobileClassifier(const Architecture& net, const NetworkOptions& options)
      : name_(net.name),
        dropout_(options.dropout < 0 ? net.dropout : options.dropout),
        backbone_(*this, net, {.frozen = options.frozen, .drop_path = options.drop_path}) {
    classifier_ = register_module("classifier", torch::nn::Linear(net.head, options.classes));
    torch::NoGradGuard no_grad;
    classifier_->weight.normal_(0, 0.01);
    classifier_->bias.zero_();
  }

  Tensor forward(Tensor x) override {
    x = backbone_.forward(x).last.mean({2, 3});
    return classifier_->forward(torch::dropout(x, dropout_, is_training()));
  }

  std::string to_onnx(int height, int width) override {
    torch::NoGradGuard no_grad;
    OnnxWriter onnx(name_);
    const auto last = backbone_.write(onnx, onnx.input("image", 1, height, width), height, width).last;
    const std::vector<float> weights = to_vector(classifier_->weight);
    const std::vector<float> bias = to_vector(classifier_->bias);
    const int classes = static_cast<int>(bias.size());
    const std::string maps = onnx.conv(last.name, {.in = static_cast<int>(classifier_->weight.size(1)),
                                                   .out = classes,
                                                   .weights = weights,
                                                   .bias = bias});
    onnx.output(onnx.flatten(onnx.global_average_pool(maps)), "logits", {-1, classes});
    onnx.output(maps, "maps", {-1, classes, last.height, last.width});
    return onnx.finish();
  }

  Result<Done> load_pretrained(const std::filesystem::path& safetensors) override {
    return backbone_.load_pretrained(safetensors);
  }
  void meet_pictures(const Tensor& batch) override { backbone_.meet_pictures(batch); }

 private:
  std::string name_;
  double dropout_;
  MobileBackbone backbone_;
  torch::nn::Linear classifier_ = nullptr;
};

/// The usual first network: a few times (three) convolution, ReLU and pooling, then two
/// dense layers. It has no class maps.
class PlainClassifier final : public Classifier {
 public:
  PlainClassifier(const Architecture& net, const NetworkOptions& options)
      : name_(net.name), dropout_(options.dropout < 0 ? net.dropout : options.dropout), kernel_(net.kernel) {
    int in = 1;
    for (int i = 0; i < net.convolutions; ++i) {
      const int out = net.stem << i;
      convs_.push_back(register_module(
          "conv" + std::to_string(i),
          torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel_).padding(kernel_ / 2))));
      in = out;
    }
    flat_ = in * (options.height >> net.convolutions) * (options.width >> net.convolutions);
    hidden_ = register_module("hidden", torch::nn::Linear(flat_, net.head));
    classifier_ = register_module("classifier", torch::nn::Linear(net.head, options.classes));
  }

  Tensor forward(Tensor x) override {
    x = channels_last(x);
    // Pooled first: the same numbers, and a quarter of them to be rectified.
    for (torch::nn::Conv2d& conv : convs_) x = torch::relu(torch::max_pool2d(conv->forward(x), 2));
    // Flattened as ONNX does it, whatever the memory format.
    x = torch::relu(hidden_->forward(x.contiguous().flatten(1)));
    return classifier_->forward(torch::dropout(x, dropout_, is_training()));
  }

  std::string to_onnx(int height, int width) override {
    torch::NoGradGuard no_grad;
    OnnxWriter onnx(name_);
    std::string x = onnx.input("image", 1, height, width);
    for (torch::nn::Conv2d& conv : convs_) {
      const std::vector<float> weights = to_vector(conv->weight);
      const std::vector<float> bias = to_vector(conv->bias);
      x = onnx.conv(x, {.in = static_cast<int>(conv->weight.size(1)),
                        .out = static_cast<int>(conv->weight.size(0)),
                        .kernel = kernel_,
                        .pads = {kernel_ / 2, kernel_ / 2, kernel_ / 2, kernel_ / 2},
                        .weights = weights,
                        .bias = bias});
      x = onnx.max_pool(onnx.relu(x), 2, 2);
    }
    x = onnx.relu(write(onnx, onnx.flatten(x), hidden_));
    const int classes = static_cast<int>(classifier_->bias.size(0));
    onnx.output(write(onnx, x, classifier_), "logits", {-1, classes});
    return onnx.finish();
  }

  Result<Done> load_pretrained(const std::filesystem::path&) override {
    return Error{ErrorCode::kInvalidArgument, name_ + " starts from random weights"};
  }
  void meet_pictures(const Tensor&) override {}

 private:
  static std::string write(OnnxWriter& onnx, const std::string& x, const torch::nn::Linear& layer) {
    const std::vector<float> weights = to_vector(layer->weight);
    const std::vector<float> bias = to_vector(layer->bias);
    return onnx.linear(x, static_cast<int>(layer->weight.size(1)), static_cast<int>(bias.size()), weights,
                       bias);
  }

  std::string name_;
  double dropout_;
  int kernel_;
  int flat_ = 0;
  std::vector<torch::nn::Conv2d> convs_;
  torch::nn::Linear hidden_ = nullptr;
  torch::nn::Linear classifier_ = nullptr;
};

}  // namespace

std::shared_ptr<Classifier> make_classifier(const Architecture& architecture, const NetworkOptions& options) {
  if (architecture.plain()) return std::make_shared<PlainClassifier>(architecture, options);
  return std::make_shared<MobileClassifier>(architecture, options);
}

}  // namespace xray
