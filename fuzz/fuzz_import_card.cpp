// The card that comes with a network of others.
#include <cmath>

#include "import/import_card.h"
#include "json_target.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Json = nlohmann::ordered_json;
  const Json json = Json::parse(fuzz::as_text(data, size), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return 0;
  const auto told = import_card_from_json(json);
  if (!told) {
    fuzz::require(told.error().code == ErrorCode::kBadModel && !told.error().message.empty());
    return 0;
  }
  // What is scaled stays a number, and what becomes of the card is a card.
  for (int channel = 0; channel < told->input.channel_count(); ++channel)
    fuzz::require(std::isfinite((255 - told->input.mean.at(channel)) / told->input.scale.at(channel)));
  fuzz::require(told->input.width >= 32 && told->input.height >= 32);
  fuzz::require(!told->output.classes.empty() && told->output.classes.size() <= told->card.classes.size());
  fuzz::require(card_from_json(to_json(told->card)).ok());
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {
      to_bytes(R"({"name": "a", "version": "1", "input": {"width": 150, "height": 150, "channels": "gray",
                   "scaling": "0..1", "fit": "squash", "interpolation": "bilinear"},
                   "output": {"values": "probabilities", "classes": ["PNEUMONIA"]}, "threshold": 0.4})"),
      to_bytes(
          R"({"name": "b", "version": "2", "input": {"width": 96, "height": 64, "channels": "bgr", "layout":
                   "nchw", "scaling": {"mean": [103.9, 116.8, 123.7], "std": 1}, "fit": "pad", "interpolation":
                   "nearest"}, "output": {"name": "scores", "values": "logits", "classes":
                   ["viral", "normal", "bacterial"]}, "licence": "MIT"})")};
}
