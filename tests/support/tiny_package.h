#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/card.h"
#include "model/onnx_writer.h"

namespace xray::test {

/// A model whose answers can be worked out with pencil and paper: it looks at
/// brightness alone. Of a picture resized to kSide x kSide, each of kCells x kCells
/// cells has the brightness b = mean gray level / 128; its maps are
///   normal 0, bacterial 20 b - 20, viral 20 b - 21
/// and the logits are their means. Clear phantoms read normal, opaque ones pneumonia.
constexpr int kTinySide = 64;
constexpr int kTinyCells = 8;

inline std::string tiny_network() {
  constexpr int kCell = kTinySide / kTinyCells;
  const std::vector<float> mean(kCell * kCell, 1.0F / (kCell * kCell));
  const std::vector<float> shift = {127.0F / 128.0F};
  const std::vector<float> gain = {0.0F, 20.0F, 20.0F};
  const std::vector<float> offset = {0.0F, -20.0F, -21.0F};

  OnnxWriter writer("tiny");
  const std::string input = writer.input("input", 1, kTinySide, kTinySide);
  const std::string brightness = writer.relu(writer.conv(
      input, {.in = 1, .out = 1, .kernel = kCell, .stride = kCell, .weights = mean, .bias = shift}));
  const std::string maps = writer.conv(brightness, {.in = 1, .out = 3, .weights = gain, .bias = offset});
  writer.output(writer.flatten(writer.global_average_pool(maps)), "logits", {-1, 3});
  writer.output(maps, "maps", {-1, 3, kTinyCells, kTinyCells});
  return writer.finish();
}

inline ModelCard tiny_card() {
  ModelCard card;
  card.name = "tiny";
  card.version = "1";
  card.input = {.width = kTinySide,
                .height = kTinySide,
                .normalisation = Normalisation::kFixed,
                .mean = 127,
                .scale = 128};
  card.classes = {"normal", "bacterial", "viral"};
  card.about["intended_use"] = "tests";
  return card;
}

/// The same network under any name and version.
inline Result<Done> write_tiny_package(const std::filesystem::path& directory,
                                       const std::string& version = "1", const std::string& name = "tiny") {
  ModelCard card = tiny_card();
  card.name = name;
  card.version = version;
  return write_package(directory, card, {tiny_network()});
}

}  // namespace xray::test
