#include <cmath>

#include "json_target.h"
#include "model/card.h"

namespace {

using namespace xray;
using fuzz::require;

/// What preprocessing and calibration divide by, multiply with and take logarithms of.
void check_numbers(const ModelCard& card) {
  require(card.input.width > 0 && card.input.height > 0);
  require(std::isfinite(card.input.mean) && std::isnormal(card.input.scale) && card.input.scale > 0);
  const Calibration& calibration = card.calibration;
  require(calibration.temperature > 0 && calibration.slope > 0 && calibration.kind_slope > 0);
  // Any logit that a network of 32-bit floats can give.
  for (const double logit : {-3e38, 0.0, 3e38})
    require(std::isfinite(calibration.slope * (logit / calibration.temperature) + calibration.intercept));
  require(std::isfinite(std::log(card.threshold / (1 - card.threshold))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto card = fuzz::read_and_write(data, size, card_from_json);
  if (!card) return 0;
  check_numbers(*card);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  ModelCard card;
  card.name = "example";
  card.version = "1.2";
  card.network.fp32.sha256 = std::string(64, 'a');
  card.classes = {"normal", "pneumonia"};
  std::vector<Bytes> seeds = {to_bytes(to_json(card).dump())};
  card.input = {.width = 96, .height = 64, .normalisation = Normalisation::kFixed, .mean = 100, .scale = 50};
  card.network.int8 = {"network.int8.onnx", std::string(64, 'b')};
  card.classes = {"normal", "bacterial", "viral"};
  card.calibration = {
      .temperature = 1.5, .slope = 0.9, .intercept = -0.25, .kind_slope = 1.2, .kind_intercept = 0.3};
  card.threshold = 0.4;
  card.about = {{"licence", "Apache-2.0"}, {"quality", {{"auc", {0.99, 0.98, nullptr}}}}};
  seeds.push_back(to_bytes(to_json(card).dump(2)));
  return seeds;
}
