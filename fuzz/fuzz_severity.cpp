#include "fuzz_target.h"
#include "model/severity.h"

namespace {

using namespace xray;
using fuzz::require;
using Json = nlohmann::ordered_json;

Json parse(std::string_view text) {
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Json json = parse(fuzz::as_text(data, size));
  if (json.is_discarded()) return 0;
  const Result<SeverityModel> model = severity_model_from_json(json);
  if (!model) {
    require(model.error().code == ErrorCode::kBadModel && !model.error().message.empty());
    return 0;
  }
  require(model->opaque > 0 && model->opaque < 1 && model->hardly_normal > 0);
  require(model->input.framing == Framing::kLungs);
  for (const double margin : {model->margins.score, model->margins.score_change, model->margins.zone_change,
                              model->margins.extent_change})
    require(margin > 0);
  const std::string written = to_json(*model).dump();
  const Result<SeverityModel> again = severity_model_from_json(parse(written));
  require(again.ok());
  require(to_json(*again).dump() == written);
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
