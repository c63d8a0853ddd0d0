#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "common/result.h"

namespace xray {

/// Pictures on which the values inside a network are observed.
struct CalibrationPictures {
  std::size_t count = 0;
  /// Writes picture `index` (0..count-1) as the network takes it. Each is asked for twice.
  std::function<void(std::size_t index, std::span<float> input)> fill;
};

/// A network whose layers compute in 8 bit.
struct QuantizedNetwork {
  std::string onnx;
  int layers = 0;           ///< convolutions and fully connected ones
  int layers_in_8_bit = 0;  ///< of them, as OpenVINO computes them on this machine
};

/// Makes of an ONNX network in 32-bit floats (opset 13 or newer, one input whose
/// dimensions but the first are fixed) one that computes in 8 bit, as pairs of
/// QuantizeLinear and DequantizeLinear around its layers (Jacob et al. 2018).
///
/// Layers are Conv and Gemm with constant weights. The first ones, which see the
/// input, and the last ones stay in floats: they are small and everything hangs on
/// them. What lies between layers passes through; MaxPool, Concat, Flatten and
/// nearest Resize are computed in 8 bit where a layer takes their result.
///
/// Weights: one scale per output channel, -63..63. The eighth bit is left unused on
/// purpose: where the CPU has no VNNI, sums of two products are kept in 16 bit and
/// would overflow; so scores are the same on every machine. Activations: one scale
/// per tensor (ValueHistogram::grid), unsigned after ReLU, else signed. Biases stay
/// floats and take up the mean error of the rounded weights (Nagel et al. 2021,
/// section 3.3, with the mean input observed; borders are taken as if not padded).
///
/// Runs the network twice on each picture, on all cores. The same bytes and
/// pictures give the same network. kBadModel: the bytes are no network that OpenVINO
/// runs; kUnsupported: an older opset, control flow, or no layer to be computed in
/// 8 bit; kTooLarge; kInvalidArgument: no pictures.
Result<QuantizedNetwork> quantize_network(const std::string& onnx, const CalibrationPictures& pictures);

}  // namespace xray
