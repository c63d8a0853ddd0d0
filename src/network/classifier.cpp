#include "network/classifier.h"

#include <torch/torch.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "model/onnx_writer.h"
#include "network/conv_unit.h"
#include "network/safetensors.h"

namespace xray {
namespace {

using torch::Tensor;

/// Pictures normalised to unit variance are twice as bright as ImageNet's under (x - 127) / 128.
constexpr double kStemScale = 0.5;

Tensor from_array(const WeightArray& array) {
  return torch::tensor(array.values).reshape(array.shape);
}

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

  /// All layers in the order of the data by `pass`(layer, its input).
  template <typename Pass>
  Tensor walk(const Tensor& x, const Pass& pass) {
    Tensor y = x;
    for (ConvUnit& unit : units()) y = pass(unit, y);
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
      : name_(net.name),
        dropout_(options.dropout < 0 ? net.dropout : options.dropout),
        frozen_(std::min(static_cast<std::size_t>(options.frozen), net.blocks.size())) {
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
    x = channels_last(x);
    std::size_t first = 0;
    if (frozen_ > 0) {
      // What is frozen keeps its statistics too, and needs no memory for a way back.
      torch::NoGradGuard no_grad;
      stem_->eval();
      x = stem_->forward(x);
      for (; first < frozen_; ++first) {
        blocks_[first]->eval();
        x = blocks_[first]->forward(x);
      }
    } else {
      x = stem_->forward(x);
    }
    for (; first < blocks_.size(); ++first) x = blocks_[first]->forward(x);
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

  void meet_pictures(const Tensor& batch) override {
    torch::NoGradGuard no_grad;
    if (folded_) {
      walk(channels_last(batch), blocks_.size(),
           [](ConvUnit& unit, const Tensor& x) { return unit->restart(x); });
      folded_ = false;
    }
    if (frozen_ > 0)
      walk(channels_last(batch), frozen_, [](ConvUnit& unit, const Tensor& x) { return unit->adapt(x); });
  }

 private:
  /// Stem, the first blocks and, after all of them, the head by `pass`(layer, its input).
  template <typename Pass>
  void walk(Tensor x, std::size_t blocks, const Pass& pass) {
    x = pass(stem_, x);
    for (std::size_t i = 0; i < blocks; ++i) x = blocks_[i]->walk(x, pass);
    if (blocks == blocks_.size()) pass(head_, x);
  }

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
  std::size_t frozen_;
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
