#include "import/import_card.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "common/text.h"
#include "model/field_reader.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMostGray = 255;

/// A number for all channels or a list of one for each.
std::array<double, 3> read_per_channel(const FieldReader& fields, const Json& json, const char* key,
                                       std::size_t channels) {
  if (json.contains(key) && !json[key].is_array()) {
    const double value = fields.number(key);
    return {value, value, value};
  }
  const std::vector<double> values = fields.numbers(key);
  fields.require(values.size() == channels, key, "has not one number for each channel");
  std::array<double, 3> result{};
  for (std::size_t i = 0; i < std::min(values.size(), result.size()); ++i) result[i] = values[i];
  return result;
}

void read_scaling(const FieldReader& fields, const Json& json, ForeignInput& input) {
  if (json.contains("scaling") && json["scaling"].is_object()) {
    const FieldReader scaling = fields.object("scaling");
    const auto channels = static_cast<std::size_t>(input.channel_count());
    input.mean = read_per_channel(scaling, json["scaling"], "mean", channels);
    input.scale = read_per_channel(scaling, json["scaling"], "std", channels);
    constexpr double kSmallest = 1 / kLargestNumber;
    scaling.require(std::all_of(input.scale.begin(), input.scale.begin() + input.channel_count(),
                                [](double s) { return s >= kSmallest; }),
                    "std", "is not a number from 0.000001 to 1000000");
    scaling.allow_only({"mean", "std"});
    return;
  }
  const std::string text = fields.text("scaling");
  if (text == "0..1") {
    input.scale.fill(kMostGray);
  } else if (text == "-1..1") {
    input.mean.fill(kMostGray / 2);
    input.scale.fill(kMostGray / 2);
  } else {
    fields.require(
        text == "0..255", "scaling",
        R"(is neither "0..1" nor "0..255" nor "-1..1" nor {"mean": ..., "std": ...} in gray levels)");
  }
}

template <typename Enum, std::size_t N>
Enum read_choice(const FieldReader& fields, const char* key, const std::array<const char*, N>& names,
                 const char* otherwise) {
  const auto found = std::ranges::find(names, fields.text(key));
  fields.require(found != names.end(), key, otherwise);
  return found == names.end() ? Enum{} : static_cast<Enum>(found - names.begin());
}

ForeignInput read_input(const FieldReader& fields, const Json& json) {
  ForeignInput input;
  input.width = fields.integer("width", 32, 4096);
  input.height = fields.integer("height", 32, 4096);
  input.channels = read_choice<ColourChannels>(fields, "channels", std::array{"gray", "rgb", "bgr"},
                                               R"(is neither "gray" nor "rgb" nor "bgr")");
  if (fields.has("layout"))
    input.layout =
        read_choice<Layout>(fields, "layout", std::array{"nhwc", "nchw"}, R"(is neither "nhwc" nor "nchw")");
  read_scaling(fields, json, input);
  input.fit = read_choice<Fit>(fields, "fit", std::array{"squash", "crop", "pad"},
                               R"(is neither "squash" nor "crop" nor "pad")");
  input.interpolation = read_choice<Interpolation>(
      fields, "interpolation", std::array{"antialiased", "bilinear", "nearest"},
      R"(is neither "bilinear" (tf.image.resize, OpenCV) nor "antialiased" (Pillow) nor "nearest")");
  fields.allow_only({"width", "height", "channels", "layout", "scaling", "fit", "interpolation"});
  return input;
}

ForeignOutput read_output(const FieldReader& fields) {
  ForeignOutput output;
  if (fields.has("name")) output.name = fields.text("name");
  const std::string values = fields.text("values");
  fields.require(values == "probabilities" || values == "logits", "values",
                 R"(is neither "probabilities" nor "logits")");
  output.probabilities = values == "probabilities";
  // Folders of data sets, after which Keras calls its classes, are often in capitals.
  for (const std::string& name : fields.texts("classes")) output.classes.push_back(lowered(name));
  const std::set<std::string> names(output.classes.begin(), output.classes.end());
  using Names = std::set<std::string>;
  const bool known = names == Names{"normal"} || names == Names{"pneumonia"} ||
                     names == Names{"normal", "pneumonia"} || names == Names{"normal", "bacterial", "viral"};
  fields.require(known && names.size() == output.classes.size(), "classes",
                 R"(are not, in the network's order, ["pneumonia"] or ["normal"] (of one value), "normal" )"
                 R"(and "pneumonia", or "normal", "bacterial" and "viral")");
  fields.allow_only({"name", "values", "classes"});
  return output;
}

}  // namespace

bool ForeignInput::is_plain() const {
  return std::all_of(mean.begin(), mean.end(), [](double m) { return m == 0; }) &&
         std::all_of(scale.begin(), scale.end(), [](double s) { return s == 1; });
}

Result<ImportCard> import_card_from_json(const Json& json) {
  std::optional<Error> failure;
  const FieldReader fields(json, "", failure);
  if (failure) return *failure;
  // What the program itself fills in.
  for (const char* key : {"network", "classes", "imported", "lungs", "format"})
    fields.require(!json.contains(key), key, "is not for whoever imports a network to say");
  const FieldReader input = fields.object("input");
  const FieldReader output = fields.object("output");
  if (failure) return *failure;
  ImportCard told{.input = read_input(input, json["input"]), .output = read_output(output), .card = {}};
  if (failure) return *failure;

  Json card = json;
  card.erase("output");
  card["format"] = ModelCard::kFormat;
  card["network"] = {{"file", "network.onnx"}, {"sha256", std::string(64, '0')}};
  card["input"] = {{"width", told.input.width},
                   {"height", told.input.height},
                   {"normalisation", "fixed"},
                   {"mean", 0},
                   {"scale", 1}};
  card["classes"] =
      told.output.classes.size() == 3 ? Json{"normal", "bacterial", "viral"} : Json{"normal", "pneumonia"};
  if (!card.contains("calibration"))
    card["calibration"] = {{"temperature", 1}, {"slope", 1}, {"intercept", 0}};
  if (!card.contains("threshold")) card["threshold"] = 0.5;
  auto read = card_from_json(card);
  if (!read) return read.error();
  told.card = std::move(*read);
  told.card.input.fit = told.input.fit;
  told.card.input.interpolation = told.input.interpolation;
  told.card.about["as_trained"] = {{"input", json["input"]}, {"output", json["output"]}};
  return told;
}

}  // namespace xray
