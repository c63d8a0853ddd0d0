#include <algorithm>
#include <charconv>
#include <functional>
#include <string>

#include "train/trainer.h"

namespace xray {
namespace {

/// Calls `visit(name, member)` for every field, so that writing and reading share one list.
template <typename Options, typename Visit>
void for_each_field(Options& options, Visit&& visit) {
  visit("architecture", options.architecture);
  visit("weights", options.weights);
  visit("frozen", options.frozen);
  visit("teachers", options.teachers);
  visit("soup", options.soup);
  visit("width", options.scale.width);
  visit("depth", options.scale.depth);
  visit("convolutions", options.scale.convolutions);
  visit("filters", options.scale.filters);
  visit("kernel", options.scale.kernel);
  visit("dense", options.scale.dense);
  visit("max_parameters", options.max_parameters);
  visit("input_size", options.input_size);
  visit("epochs", options.epochs);
  visit("batch_size", options.batch_size);
  visit("optimizer", options.optimizer);
  visit("momentum", options.momentum);
  visit("schedule", options.schedule);
  visit("learning_rate", options.learning_rate);
  visit("warm_up", options.warm_up);
  visit("weight_decay", options.weight_decay);
  visit("label_smoothing", options.label_smoothing);
  visit("class_balance", options.class_balance);
  visit("ema", options.ema);
  visit("dropout", options.dropout);
  visit("drop_path", options.drop_path);
  visit("patience", options.patience);
  visit("seed", options.seed);
  visit("threads", options.threads);
  visit("loader_threads", options.loader_threads);
  visit("precision", options.precision);
  visit("device", options.device);
}

template <typename Augment, typename Visit>
void for_each_augmentation(Augment& augment, Visit&& visit) {
  visit("rotate_degrees", augment.rotate_degrees);
  visit("shear", augment.shear);
  visit("shift", augment.shift);
  visit("zoom_in", augment.zoom_in);
  visit("zoom_out", augment.zoom_out);
  visit("aspect", augment.aspect);
  visit("flip", augment.flip);
  visit("gamma", augment.gamma);
  visit("tone_curve", augment.tone_curve);
  visit("clip", augment.clip);
  visit("blur", augment.blur);
  visit("sharpen", augment.sharpen);
  visit("resample", augment.resample);
  visit("noise", augment.noise);
  visit("jpeg", augment.jpeg);
  visit("markers", augment.markers);
  visit("hide_corners", augment.hide_corners);
  visit("border", augment.border);
  visit("consolidation", augment.consolidation);
  visit("surroundings", augment.surroundings);
  visit("erase", augment.erase);
  visit("opacity", augment.opacity);
}

}  // namespace

nlohmann::ordered_json to_json(const TrainOptions& options) {
  nlohmann::ordered_json json;
  for_each_field(options, [&](const char* name, const auto& value) { json[name] = value; });
  for_each_augmentation(options.augment,
                        [&](const char* name, const auto& value) { json["augment"][name] = value; });
  return json;
}

Result<TrainOptions> train_options_from_json(const nlohmann::ordered_json& json) {
  TrainOptions options;
  std::string field;
  const auto read_from = [&](const nlohmann::ordered_json& source) {
    return [&](const char* name, auto& value) {
      field = name;
      if (source.contains(name)) source.at(name).get_to(value);
    };
  };
  try {
    for_each_field(options, read_from(json));
    if (json.contains("augment")) for_each_augmentation(options.augment, read_from(json.at("augment")));
  } catch (const nlohmann::json::exception&) {
    return Error{ErrorCode::kInvalidArgument, "the training option '" + field + "' is not of the right type"};
  }
  return options;
}

Result<Done> set_augmentation(AugmentOptions& options, const std::string& text) {
  const std::size_t sign = std::min(text.find('='), text.size());
  std::string names;
  bool found = false;
  for_each_augmentation(options, [&](const char* name, double& value) {
    names += (names.empty() ? "" : ", ") + std::string(name);
    if (text.compare(0, sign, name) != 0 || std::string(name).size() != sign || sign == text.size()) return;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + sign + 1, end, value);
    found = error == std::errc() && rest == end;
  });
  if (found) return Done{};
  return Error{ErrorCode::kInvalidArgument, "no augmentation '" + text + "' (name=number, of " + names + ")"};
}

}  // namespace xray
