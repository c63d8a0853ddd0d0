#include "network/classifier.h"

#include <torch/torch.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "model/onnx_writer.h"
#include "network/safetensors.h"

namespace xray {
namespace {

using torch::Tensor;

/// Both families were trained with it; Keras' default as well.
constexpr double kBatchNormEpsilon = 1e-3;
/// Share of the newest batch in the running statistics: a few hundred steps make
/// an epoch here, so they forget ImageNet within the first one.
constexpr double kBatchNormMomentum = 0.05;
/// Pictures normalised to unit variance are twice as bright as ImageNet's under (x - 127) / 128.
constexpr double kStemScale = 0.5;

/// Padding of TensorFlow's "SAME": what is odd goes to the bottom and the right.
std::array<int, 2> same_padding(std::int64_t size, int kernel, int stride) {
  const std::int64_t out = (size + stride - 1) / stride;
  const int total = static_cast<int>(std::max<std::int64_t>((out - 1) * stride + kernel - size, 0));
  return {total / 2, total - total / 2};
}

Tensor from_array(const WeightArray& array) {
  return torch::tensor(array.values).reshape(array.shape);
}

std::vector<float> to_vector(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous().flatten();
  const float* data = flat.const_data_ptr<float>();
  return {data, data + flat.numel()};
}

/// One channel lies in memory the same way in both formats; strides alone can say
/// that channels come last, and everything after the first layer follows them. The
/// CPU's kernels for depthwise convolutions are several times faster that way.
Tensor channels_last(const Tensor& gray) {
  const Tensor x = gray.contiguous();
  return x.as_strided(x.sizes(), {x.size(2) * x.size(3), 1, x.size(3), 1});
}

/// Convolution, batch norm and, unless linear, ReLU6.
class ConvUnitImpl : public torch::nn::Module {
 public:
  ConvUnitImpl(int in, int out, int kernel, int stride, int groups, bool linear)
      : kernel_(kernel), stride_(stride), groups_(groups), linear_(linear) {
    weight_ = register_parameter("weight", torch::empty({out, in / groups, kernel, kernel}));
    torch::nn::init::kaiming_normal_(weight_, 0.0, torch::kFanOut, torch::kReLU);
    norm_ = register_module(
        "norm", torch::nn::BatchNorm2d(
                    torch::nn::BatchNorm2dOptions(out).eps(kBatchNormEpsilon).momentum(kBatchNormMomentum)));
  }

  Tensor forward(const Tensor& x) {
    const Tensor y = norm_->forward(convolve(x));
    return linear_ ? y : torch::hardtanh(y, 0.0, 6.0);
  }

  /// The batch norm that does to this layer's output on `x` what it does now, with
  /// the statistics of that output as its own; returns the output.
  Tensor restart(const Tensor& x) {
    const Tensor raw = convolve(x);
    const auto [variance, mean] = torch::var_mean(raw, {0, 2, 3}, false);
    const Tensor gain = torch::sqrt(variance + kBatchNormEpsilon);
    const Tensor shift = norm_->bias - norm_->running_mean * norm_->weight /
                                           torch::sqrt(norm_->running_var + kBatchNormEpsilon);
    const Tensor scale = norm_->weight / torch::sqrt(norm_->running_var + kBatchNormEpsilon);
    const Tensor y = raw * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1});
    norm_->weight.set_data(scale * gain);
    norm_->bias.set_data(shift + scale * mean);
    norm_->running_mean.copy_(mean);
    norm_->running_var.copy_(variance);
    return linear_ ? y : torch::hardtanh(y, 0.0, 6.0);
  }

  void set_weight(const Tensor& weight) {
    TORCH_CHECK(weight.sizes() == weight_.sizes(), "weights of another shape");
    weight_.set_data(weight.clone());
  }
  void set_norm(const Tensor& gain, const Tensor& bias, const Tensor& mean, const Tensor& variance) {
    norm_->weight.set_data(gain.clone());
    norm_->bias.set_data(bias.clone());
    norm_->running_mean.copy_(mean);
    norm_->running_var.copy_(variance);
  }
  /// A folded bias as a batch norm that otherwise does nothing.
  void set_bias(const Tensor& bias) {
    const Tensor ones = torch::ones_like(bias);
    set_norm(ones * std::sqrt(1 + kBatchNormEpsilon), bias, torch::zeros_like(bias), ones);
  }

  /// Appends the folded layer; height and width become those of its output.
  std::string write(OnnxWriter& onnx, const std::string& x, int& height, int& width) {
    const Tensor scale = norm_->weight / torch::sqrt(norm_->running_var + kBatchNormEpsilon);
    const std::vector<float> weights = to_vector(weight_ * scale.view({-1, 1, 1, 1}));
    const std::vector<float> bias = to_vector(norm_->bias - norm_->running_mean * scale);
    const auto vertical = same_padding(height, kernel_, stride_);
    const auto horizontal = same_padding(width, kernel_, stride_);
    const std::string y = onnx.conv(x, {.in = static_cast<int>(weight_.size(1)) * groups_,
                                        .out = static_cast<int>(weight_.size(0)),
                                        .kernel = kernel_,
                                        .stride = stride_,
                                        .groups = groups_,
                                        .pads = {vertical[0], horizontal[0], vertical[1], horizontal[1]},
                                        .weights = weights,
                                        .bias = bias});
    height = (height + stride_ - 1) / stride_;
    width = (width + stride_ - 1) / stride_;
    return linear_ ? y : onnx.clip(y, 0.0F, 6.0F);
  }

 private:
  Tensor convolve(const Tensor& x) {
    const auto vertical = same_padding(x.size(2), kernel_, stride_);
    const auto horizontal = same_padding(x.size(3), kernel_, stride_);
    if (vertical[0] == vertical[1] && horizontal[0] == horizontal[1])
      return torch::conv2d(x, weight_, {}, stride_, at::IntArrayRef{vertical[0], horizontal[0]}, 1, groups_);
    const Tensor padded = torch::constant_pad_nd(x, {horizontal[0], horizontal[1], vertical[0], vertical[1]});
    return torch::conv2d(padded, weight_, {}, stride_, at::IntArrayRef{0, 0}, 1, groups_);
  }

  int kernel_;
  int stride_;
  int groups_;
  bool linear_;
  Tensor weight_;
  torch::nn::BatchNorm2d norm_ = nullptr;
};
TORCH_MODULE(ConvUnit);

class BlockImpl : public torch::nn::Module {
 public:
  BlockImpl(const InvertedResidual& spec, double drop_path)
      : shortcut_(spec.stride == 1 && spec.in == spec.out), drop_path_(drop_path) {
    const int wide = spec.in * spec.expand;
    if (spec.expand != 1) expand_ = register_module("expand", ConvUnit(spec.in, wide, 1, 1, 1, false));
    depthwise_ = register_module("depthwise", ConvUnit(wide, wide, spec.kernel, spec.stride, wide, false));
    project_ = register_module("project", ConvUnit(wide, spec.out, 1, 1, 1, true));
  }

  Tensor forward(const Tensor& x) {
    Tensor y = expand_ ? expand_->forward(x) : x;
    y = project_->forward(depthwise_->forward(y));
    if (!shortcut_) return y;
    if (is_training() && drop_path_ > 0) {
      const double keep = 1 - drop_path_;
      y = y * (torch::rand({y.size(0), 1, 1, 1}, y.options()) < keep).to(y.dtype()) / keep;
    }
    return x + y;
  }

  Tensor restart(const Tensor& x) {
    Tensor y = expand_ ? expand_->restart(x) : x;
    y = project_->restart(depthwise_->restart(y));
    return shortcut_ ? x + y : y;
  }

  std::string write(OnnxWriter& onnx, const std::string& x, int& height, int& width) {
    std::string y = expand_ ? expand_->write(onnx, x, height, width) : x;
    y = depthwise_->write(onnx, y, height, width);
    y = project_->write(onnx, y, height, width);
    return shortcut_ ? onnx.add(x, y) : y;
  }

  /// The convolutions in the order of the data.
  std::vector<ConvUnit> units() const {
    return expand_ ? std::vector{expand_, depthwise_, project_} : std::vector{depthwise_, project_};
  }

 private:
  bool shortcut_;
  double drop_path_;
  ConvUnit expand_ = nullptr;
  ConvUnit depthwise_ = nullptr;
  ConvUnit project_ = nullptr;
};
TORCH_MODULE(Block);

/// EfficientNet-Lite and MobileNetV2: stem, inverted residuals, head, and a 1x1
/// convolution whose averaged maps are the logits.
class MobileClassifier final : public Classifier {
 public:
  MobileClassifier(const Architecture& net, const NetworkOptions& options)
      : name_(net.name), dropout_(options.dropout < 0 ? net.dropout : options.dropout) {
    stem_ = register_module("stem", ConvUnit(1, net.stem, 3, 2, 1, false));
    for (std::size_t i = 0; i < net.blocks.size(); ++i) {
      const double drop = options.drop_path * static_cast<double>(i) / static_cast<double>(net.blocks.size());
      blocks_.push_back(register_module("block" + std::to_string(i), Block(net.blocks[i], drop)));
    }
    head_ = register_module("head", ConvUnit(net.blocks.back().out, net.head, 1, 1, 1, false));
    classifier_ = register_module("classifier", torch::nn::Linear(net.head, options.classes));
    torch::NoGradGuard no_grad;
    classifier_->weight.normal_(0, 0.01);
    classifier_->bias.zero_();
  }

  Tensor forward(Tensor x) override {
    x = stem_->forward(channels_last(x));
    for (Block& block : blocks_) x = block->forward(x);
    x = head_->forward(x).mean({2, 3});
    return classifier_->forward(torch::dropout(x, dropout_, is_training()));
  }

  std::string to_onnx(int height, int width) override {
    torch::NoGradGuard no_grad;
    OnnxWriter onnx(name_);
    int h = height;
    int w = width;
    std::string x = stem_->write(onnx, onnx.input("image", 1, height, width), h, w);
    for (Block& block : blocks_) x = block->write(onnx, x, h, w);
    x = head_->write(onnx, x, h, w);
    const std::vector<float> weights = to_vector(classifier_->weight);
    const std::vector<float> bias = to_vector(classifier_->bias);
    const int classes = static_cast<int>(bias.size());
    const std::string maps = onnx.conv(x, {.in = static_cast<int>(classifier_->weight.size(1)),
                                           .out = classes,
                                           .weights = weights,
                                           .bias = bias});
    onnx.output(onnx.flatten(onnx.global_average_pool(maps)), "logits", {-1, classes});
    onnx.output(maps, "maps", {-1, classes, h, w});
    return onnx.finish();
  }

  Result<Done> load_pretrained(const std::filesystem::path& safetensors) override {
    const Result<WeightArrays> arrays = read_safetensors(safetensors);
    if (!arrays) return arrays.error();
    torch::NoGradGuard no_grad;
    try {
      if (arrays->contains("_conv_stem.weight")) {
        load_efficientnet(*arrays);
      } else {
        load_folded(*arrays);
      }
    } catch (const std::exception&) {
      return Error{ErrorCode::kDamaged, safetensors.string() + ": not the weights of " + name_};
    }
    return Done{};
  }

  void restart_batch_norm(const Tensor& batch) override {
    if (!folded_) return;
    torch::NoGradGuard no_grad;
    Tensor x = stem_->restart(channels_last(batch));
    for (Block& block : blocks_) x = block->restart(x);
    head_->restart(x);
    folded_ = false;
  }

 private:
  /// Colour filters see a gray picture as three equal channels.
  static Tensor gray_stem(const Tensor& rgb) { return rgb.sum(1, true) * kStemScale; }

  void load_efficientnet(const WeightArrays& arrays) {
    const auto load = [&](ConvUnit& unit, const std::string& conv, const std::string& norm, bool stem) {
      const Tensor weight = from_array(arrays.at(conv + ".weight"));
      unit->set_weight(stem ? gray_stem(weight) : weight);
      unit->set_norm(from_array(arrays.at(norm + ".weight")), from_array(arrays.at(norm + ".bias")),
                     from_array(arrays.at(norm + ".running_mean")),
                     from_array(arrays.at(norm + ".running_var")));
    };
    load(stem_, "_conv_stem", "_bn0", true);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const std::string block = "_blocks." + std::to_string(i) + ".";
      std::vector<ConvUnit> units = blocks_[i]->units();
      const bool expands = units.size() == 3;
      if (expands) load(units[0], block + "_expand_conv", block + "_bn0", false);
      load(units[units.size() - 2], block + "_depthwise_conv", block + "_bn1", false);
      load(units.back(), block + "_project_conv", block + "_bn2", false);
    }
    load(head_, "_conv_head", "_bn1", false);
  }

  void load_folded(const WeightArrays& arrays) {
    int index = 0;
    const auto load = [&](ConvUnit& unit, bool stem) {
      const std::string conv = "conv" + std::to_string(index++);
      const Tensor weight = from_array(arrays.at(conv + ".weight"));
      unit->set_weight(stem ? gray_stem(weight) : weight);
      unit->set_bias(from_array(arrays.at(conv + ".bias")));
    };
    load(stem_, true);
    for (Block& block : blocks_)
      for (ConvUnit& unit : block->units()) load(unit, false);
    load(head_, false);
    folded_ = true;
  }

  std::string name_;
  double dropout_;
  bool folded_ = false;
  ConvUnit stem_ = nullptr;
  std::vector<Block> blocks_;
  ConvUnit head_ = nullptr;
  torch::nn::Linear classifier_ = nullptr;
};

/// The usual first network: three times convolution, ReLU and pooling, then two
/// dense layers. It has no class maps.
class PlainClassifier final : public Classifier {
 public:
  PlainClassifier(const Architecture& net, const NetworkOptions& options)
      : name_(net.name), dropout_(options.dropout < 0 ? net.dropout : options.dropout) {
    int in = 1;
    for (int i = 0; i < 3; ++i) {
      const int out = net.stem << i;
      convs_.push_back(register_module("conv" + std::to_string(i),
                                       torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1))));
      in = out;
    }
    flat_ = in * (options.height / 8) * (options.width / 8);
    hidden_ = register_module("hidden", torch::nn::Linear(flat_, net.head));
    classifier_ = register_module("classifier", torch::nn::Linear(net.head, options.classes));
  }

  Tensor forward(Tensor x) override {
    for (torch::nn::Conv2d& conv : convs_) x = torch::max_pool2d(torch::relu(conv->forward(x)), 2);
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
                        .kernel = 3,
                        .pads = {1, 1, 1, 1},
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
  void restart_batch_norm(const Tensor&) override {}

 private:
  static std::string write(OnnxWriter& onnx, const std::string& x, const torch::nn::Linear& layer) {
    const std::vector<float> weights = to_vector(layer->weight);
    const std::vector<float> bias = to_vector(layer->bias);
    return onnx.linear(x, static_cast<int>(layer->weight.size(1)), static_cast<int>(bias.size()), weights,
                       bias);
  }

  std::string name_;
  double dropout_;
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
