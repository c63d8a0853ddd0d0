#include "network/architecture.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace xray {
namespace {

/// Blocks that share kernel, expansion and width; only the first one strides.
struct StageSpec {
  int repeats;
  int kernel;
  int stride;
  int expand;
  int out;
};

void append_stage(Architecture& net, const StageSpec& stage) {
  for (int i = 0; i < stage.repeats; ++i) {
    const int in = net.blocks.empty() ? net.stem : net.blocks.back().out;
    net.blocks.push_back({stage.kernel, i == 0 ? stage.stride : 1, stage.expand, in, stage.out});
  }
}

/// Scaled width, rounded to a multiple of 8 without losing more than a tenth.
int scaled_width(int width, double factor) {
  const double wanted = width * factor;
  int rounded = std::max(8, static_cast<int>(wanted + 4) / 8 * 8);
  if (rounded < 0.9 * wanted) rounded += 8;
  return rounded;
}

/// The Lite family leaves the depth of the first and last stage alone.
void append_stages(Architecture& net, std::span<const StageSpec> stages, double width, double depth) {
  for (const StageSpec& spec : stages) {
    StageSpec stage = spec;
    stage.out = scaled_width(spec.out, width);
    if (&spec != &stages.front() && &spec != &stages.back())
      stage.repeats = std::max(1, static_cast<int>(std::ceil(spec.repeats * depth)));
    append_stage(net, stage);
  }
}

Architecture efficientnet_lite(const std::string& name, double width, double depth, int input_size,
                               double dropout) {
  constexpr StageSpec kStages[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                                   {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};
  Architecture net{.name = name, .input_size = input_size, .dropout = dropout};
  append_stages(net, kStages, width, depth);
  return net;
}

Architecture mobilenet_v2(double width, double depth) {
  constexpr StageSpec kStages[] = {{1, 3, 1, 1, 16}, {2, 3, 2, 6, 24},  {3, 3, 2, 6, 32}, {4, 3, 2, 6, 64},
                                   {3, 3, 1, 6, 96}, {3, 3, 2, 6, 160}, {1, 3, 1, 6, 320}};
  Architecture net{.name = "mobilenet-v2"};
  append_stages(net, kStages, width, depth);
  return net;
}

}  // namespace

Result<Architecture> find_architecture(const std::string& name, const ArchitectureScale& scale) {
  const double width = scale.width;
  const double depth = scale.depth;
  if (!(width > 0 && width <= 4 && depth > 0 && depth <= 4))
    return Error{ErrorCode::kInvalidArgument, "width and depth are above 0 and at most 4"};
  if (name == "cnn3") {
    if (scale.convolutions < 1 || scale.convolutions > 5 || scale.filters < 1 || scale.filters > 512 ||
        scale.dense < 1 || scale.dense > 8192 || scale.kernel < 1 || scale.kernel > 11 ||
        scale.kernel % 2 == 0)
      return Error{ErrorCode::kInvalidArgument,
                   "cnn3 has 1 to 5 convolutions, 1 to 512 filters, 1 to 8192 dense units and an odd "
                   "kernel of at most 11"};
    return Architecture{.name = name,
                        .stem = scale.filters,
                        .head = scale.dense,
                        .dropout = 0.5,
                        .convolutions = scale.convolutions,
                        .kernel = scale.kernel};
  }
  if (name == "efficientnet-lite0") return efficientnet_lite(name, 1.0 * width, 1.0 * depth, 224, 0.2);
  if (name == "efficientnet-lite1") return efficientnet_lite(name, 1.0 * width, 1.1 * depth, 240, 0.2);
  if (name == "efficientnet-lite2") return efficientnet_lite(name, 1.1 * width, 1.2 * depth, 260, 0.3);
  if (name == "mobilenet-v2") return mobilenet_v2(width, depth);
  return Error{ErrorCode::kInvalidArgument,
               "no architecture '" + name +
                   "' (cnn3, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, mobilenet-v2)"};
}

}  // namespace xray
