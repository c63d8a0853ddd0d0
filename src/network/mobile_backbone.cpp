#include "network/mobile_backbone.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "network/safetensors.h"

namespace xray {
namespace {

using torch::Tensor;

/// Pictures normalised to unit variance are twice as bright as ImageNet's under (x - 127) / 128.
constexpr double kStemScale = 0.5;

Tensor from_array(const WeightArray& array) {
  return torch::tensor(array.values).reshape(array.shape);
}

/// Colour filters see a gray picture as three equal channels.
Tensor gray_stem(const Tensor& rgb) {
  return rgb.sum(1, true) * kStemScale;
}

/// What load_pretrained() fills.
struct Layers {
  ConvUnit stem;
  std::vector<Block>& blocks;
  ConvUnit head;
};

void load_efficientnet(const WeightArrays& arrays, Layers layers) {
  const auto load = [&](ConvUnit& unit, const std::string& conv, const std::string& norm, bool stem) {
    const Tensor weight = from_array(arrays.at(conv + ".weight"));
    unit->set_weight(stem ? gray_stem(weight) : weight);
    unit->set_norm(from_array(arrays.at(norm + ".weight")), from_array(arrays.at(norm + ".bias")),
                   from_array(arrays.at(norm + ".running_mean")),
                   from_array(arrays.at(norm + ".running_var")));
  };
  load(layers.stem, "_conv_stem", "_bn0", true);
  for (std::size_t i = 0; i < layers.blocks.size(); ++i) {
    const std::string block = "_blocks." + std::to_string(i) + ".";
    std::vector<ConvUnit> units = layers.blocks[i]->units();
    const bool expands = units.size() == 3;
    if (expands) load(units[0], block + "_expand_conv", block + "_bn0", false);
    load(units[units.size() - 2], block + "_depthwise_conv", block + "_bn1", false);
    load(units.back(), block + "_project_conv", block + "_bn2", false);
  }
  load(layers.head, "_conv_head", "_bn1", false);
}

/// Batch norm already folded into the convolutions.
void load_folded(const WeightArrays& arrays, Layers layers) {
  int index = 0;
  const auto load = [&](ConvUnit& unit, bool stem) {
    const std::string conv = "conv" + std::to_string(index++);
    const Tensor weight = from_array(arrays.at(conv + ".weight"));
    unit->set_weight(stem ? gray_stem(weight) : weight);
    unit->set_bias(from_array(arrays.at(conv + ".bias")));
  };
  load(layers.stem, true);
  for (Block& block : layers.blocks)
    for (ConvUnit& unit : block->units()) load(unit, false);
  load(layers.head, false);
}

}  // namespace

BlockImpl::BlockImpl(const InvertedResidual& spec, double drop_path)
    : shortcut_(spec.stride == 1 && spec.in == spec.out), drop_path_(drop_path) {
  const int wide = spec.in * spec.expand;
  if (spec.expand != 1) expand_ = register_module("expand", ConvUnit(spec.in, wide, 1, 1, 1, false));
  depthwise_ = register_module("depthwise", ConvUnit(wide, wide, spec.kernel, spec.stride, wide, false));
  project_ = register_module("project", ConvUnit(wide, spec.out, 1, 1, 1, true));
}

Tensor BlockImpl::forward(const Tensor& x) {
  Tensor y = expand_ ? expand_->forward(x) : x;
  y = project_->forward(depthwise_->forward(y));
  if (!shortcut_) return y;
  if (is_training() && drop_path_ > 0) {
    const double keep = 1 - drop_path_;
    y = y * (torch::rand({y.size(0), 1, 1, 1}, y.options()) < keep).to(y.dtype()) / keep;
  }
  return x + y;
}

std::string BlockImpl::write(OnnxWriter& onnx, const std::string& x, int& height, int& width) {
  std::string y = expand_ ? expand_->write(onnx, x, height, width) : x;
  y = depthwise_->write(onnx, y, height, width);
  y = project_->write(onnx, y, height, width);
  return shortcut_ ? onnx.add(x, y) : y;
}

std::vector<ConvUnit> BlockImpl::units() const {
  return expand_ ? std::vector{expand_, depthwise_, project_} : std::vector{depthwise_, project_};
}

MobileBackbone::MobileBackbone(torch::nn::Module& owner, const Architecture& net, const Options& options)
    : name_(net.name), frozen_(std::min(static_cast<std::size_t>(options.frozen), net.blocks.size())) {
  stem_ = owner.register_module("stem", ConvUnit(1, net.stem, 3, 2, 1, false));
  int reduction = 2;
  for (std::size_t i = 0; i < net.blocks.size(); ++i) {
    const InvertedResidual& spec = net.blocks[i];
    const double drop = options.drop_path * static_cast<double>(i) / static_cast<double>(net.blocks.size());
    blocks_.push_back(owner.register_module("block" + std::to_string(i), Block(spec, drop)));
    reduction *= spec.stride;
    if (reduction == 8) {
      last_eighth_ = i;
      widths_.eighth = spec.out;
    }
    if (reduction == 16) {
      last_sixteenth_ = i;
      widths_.sixteenth = spec.out;
    }
  }
  widths_.last = net.head;
  head_ = owner.register_module("head", ConvUnit(net.blocks.back().out, net.head, 1, 1, 1, false));
}

MobileBackbone::Features MobileBackbone::forward(const Tensor& gray) {
  Features features;
  Tensor x = channels_last(gray);
  const auto pass = [&](std::size_t i) {
    x = blocks_[i]->forward(x);
    if (i == last_eighth_) features.eighth = x;
    if (i == last_sixteenth_) features.sixteenth = x;
  };
  std::size_t first = 0;
  if (frozen_ > 0) {
    // What is frozen keeps its statistics too, and needs no memory for a way back.
    torch::NoGradGuard no_grad;
    stem_->eval();
    x = stem_->forward(x);
    for (; first < frozen_; ++first) {
      blocks_[first]->eval();
      pass(first);
    }
  } else {
    x = stem_->forward(x);
  }
  for (; first < blocks_.size(); ++first) pass(first);
  features.last = head_->forward(x);
  return features;
}

MobileBackbone::Written MobileBackbone::write(OnnxWriter& onnx, const std::string& image, int height,
                                              int width) {
  Written written;
  std::string x = stem_->write(onnx, image, height, width);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    x = blocks_[i]->write(onnx, x, height, width);
    if (i == last_eighth_) written.eighth = {x, height, width};
    if (i == last_sixteenth_) written.sixteenth = {x, height, width};
  }
  x = head_->write(onnx, x, height, width);
  written.last = {x, height, width};
  return written;
}

Result<Done> MobileBackbone::load_pretrained(const std::filesystem::path& safetensors) {
  const Result<WeightArrays> arrays = read_safetensors(safetensors);
  if (!arrays) return arrays.error();
  torch::NoGradGuard no_grad;
  try {
    folded_ = !arrays->contains("_conv_stem.weight");
    if (folded_)
      load_folded(*arrays, {stem_, blocks_, head_});
    else
      load_efficientnet(*arrays, {stem_, blocks_, head_});
  } catch (const std::exception&) {
    return Error{ErrorCode::kDamaged, safetensors.string() + ": not the weights of " + name_};
  }
  return Done{};
}

void MobileBackbone::meet_pictures(const Tensor& batch) {
  torch::NoGradGuard no_grad;
  if (folded_) {
    walk(channels_last(batch), blocks_.size(),
         [](ConvUnit& unit, const Tensor& x) { return unit->restart(x); });
    folded_ = false;
  }
  if (frozen_ > 0)
    walk(channels_last(batch), frozen_, [](ConvUnit& unit, const Tensor& x) { return unit->adapt(x); });
}

template <typename Pass>
void MobileBackbone::walk(Tensor x, std::size_t blocks, const Pass& pass) {
  x = pass(stem_, x);
  for (std::size_t i = 0; i < blocks; ++i) x = blocks_[i]->walk(x, pass);
  if (blocks == blocks_.size()) pass(head_, x);
}

}  // namespace xray
