#include "json_target.h"
#include "model/severity.h"

using namespace xray;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = fuzz::read_and_write(data, size, severity_model_from_json);
  if (!model) return 0;
  require(model->opaque > 0 && model->opaque < 1 && model->hardly_normal > 0);
  require(model->input.framing == Framing::kLungs);
  for (const double margin : {model->margins.score, model->margins.score_change, model->margins.zone_change,
                              model->margins.extent_change})
    require(margin > 0);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  SeverityModel model;
  model.network.fp32.sha256 = std::string(64, 'a');
  std::vector<Bytes> seeds = {to_bytes(to_json(model).dump())};
  model.network.int8 = {"opacity.int8.onnx", std::string(64, 'b')};
  model.margins = {.score = 4.5, .score_change = 2, .zone_change = 0.5, .extent_change = 12};
  model.hardly_normal = 2;
  model.about = {{"licence", "CC BY-NC-SA 4.0"}, {"quality", {{"correlation", 0.83}}}};
  seeds.push_back(to_bytes(to_json(model).dump(2)));
  return seeds;
}
