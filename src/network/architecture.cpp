#include "network/architecture.h"

#include <cmath>

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

Architecture efficientnet_lite(const std::string& name, double width, double depth, int input_size,
                               double dropout) {
  constexpr StageSpec kStages[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                                   {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};
  Architecture net{.name = name, .input_size = input_size, .dropout = dropout};
  const StageSpec* last = std::end(kStages) - 1;
  for (const StageSpec& spec : kStages) {
    StageSpec stage = spec;
    stage.out = scaled_width(spec.out, width);
    // The Lite family leaves the depth of the first and last stage alone.
    if (&spec != std::begin(kStages) && &spec != last)
      stage.repeats = static_cast<int>(std::ceil(spec.repeats * depth));
    append_stage(net, stage);
  }
  return net;
}

Architecture mobilenet_v2() {
  constexpr StageSpec kStages[] = {{1, 3, 1, 1, 16}, {2, 3, 2, 6, 24},  {3, 3, 2, 6, 32}, {4, 3, 2, 6, 64},
                                   {3, 3, 1, 6, 96}, {3, 3, 2, 6, 160}, {1, 3, 1, 6, 320}};
  Architecture net{.name = "mobilenet-v2"};
  for (const StageSpec& stage : kStages) append_stage(net, stage);
  return net;
}

}  // namespace

Result<Architecture> find_architecture(const std::string& name) {
  if (name == "cnn3") return Architecture{.name = name, .head = 128, .dropout = 0.5};
  if (name == "efficientnet-lite0") return efficientnet_lite(name, 1.0, 1.0, 224, 0.2);
  if (name == "efficientnet-lite1") return efficientnet_lite(name, 1.0, 1.1, 240, 0.2);
  if (name == "efficientnet-lite2") return efficientnet_lite(name, 1.1, 1.2, 260, 0.3);
  if (name == "mobilenet-v2") return mobilenet_v2();
  return Error{ErrorCode::kInvalidArgument,
               "no architecture '" + name +
                   "' (cnn3, efficientnet-lite0, efficientnet-lite1, efficientnet-lite2, mobilenet-v2)"};
}

}  // namespace xray
