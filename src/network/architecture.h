#pragma once

#include <string>
#include <vector>

#include "common/result.h"

namespace xray {

/// One inverted residual (Sandler 2018): 1x1 expansion, depthwise kernel x kernel,
/// 1x1 projection; batch norm after each, ReLU6 after the first two; a shortcut
/// where stride is 1 and the widths agree. No expansion convolution at `expand` 1.
struct InvertedResidual {
  int kernel = 3;
  int stride = 1;
  int expand = 6;
  int in = 0;
  int out = 0;
};

/// A network as numbers. Without blocks it is the plain CNN: `convolutions` of them, `stem`
/// filters in the first, doubled in each of the next, `head` units in its dense layer.
struct Architecture {
  std::string name;
  int input_size = 224;  ///< side of the pictures its weights were trained on
  int stem = 32;
  std::vector<InvertedResidual> blocks;
  int head = 1280;
  double dropout = 0.2;  ///< before the classifier
  int convolutions = 3;  ///< of the plain CNN, as is its kernel
  int kernel = 3;
  bool plain() const { return blocks.empty(); }
};

/// How a named architecture is changed.
struct ArchitectureScale {
  double width = 1;  ///< of all blocks of the mobile networks, stem and head apart
  double depth = 1;  ///< their blocks per stage, the first and last stage apart
  int convolutions = 3;
  int filters = 32;  ///< of the plain CNN's first convolution
  int kernel = 3;    ///< of its convolutions, odd
  int dense = 128;   ///< units of its dense layer
};

/// "cnn3", "efficientnet-lite0" to "-lite2", "mobilenet-v2"; kInvalidArgument
/// otherwise, naming the choices, and where `scale` asks for what makes no network.
/// Widths and depths of the EfficientNet-Lite
/// family: Tan & Le 2019 without squeeze-and-excitation, stem and head not scaled.
Result<Architecture> find_architecture(const std::string& name, const ArchitectureScale& scale = {});

}  // namespace xray
