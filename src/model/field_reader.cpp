#include "model/field_reader.h"

#include <array>
#include <filesystem>

namespace xray {
namespace {

constexpr const char* kInt8Name = "int8";
constexpr const char* kWeightsName = "weights";
constexpr const char* kPerImageName = "per_image";
constexpr const char* kFixedName = "fixed";
constexpr const char* kFilmName = "film";
constexpr const char* kLungsName = "lungs";
constexpr const char* kStretchName = "stretch";
constexpr const char* kEqualiseName = "equalise";
constexpr std::array kFits = {"squash", "crop", "pad"};
constexpr std::array kInterpolations = {"antialiased", "bilinear", "nearest"};

/// The value of an optional enumeration, whose names stand in its order.
template <typename Enum, std::size_t N>
void read_choice(const FieldReader& fields, const char* key, const std::array<const char*, N>& names,
                 const char* otherwise, Enum& value) {
  if (!fields.has(key)) return;
  const auto found = std::ranges::find(names, fields.text(key));
  fields.require(found != names.end(), key, otherwise);
  if (found != names.end()) value = static_cast<Enum>(found - names.begin());
}

bool is_plain_file_name(const std::string& name) {
  return name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

PackageFile read_file_entry(const FieldReader& fields, std::initializer_list<const char*> allowed) {
  PackageFile file{fields.text("file"), fields.text("sha256")};
  fields.require(is_plain_file_name(file.name), "file", "is not a plain file name");
  fields.require(is_sha256(file.sha256), "sha256", "is not 64 lower-case hexadecimal digits");
  fields.allow_only(allowed);
  return file;
}

}  // namespace

NetworkFiles read_network(const FieldReader& fields) {
  NetworkFiles network{.fp32 = read_file_entry(fields, {"file", "sha256", kInt8Name, kWeightsName})};
  const std::filesystem::path file = network.fp32.name;
  fields.require((file.extension() == ".xml") == fields.has(kWeightsName), kWeightsName,
                 "and a network whose file ends in .xml come together");
  if (fields.has(kWeightsName)) {
    network.weights = read_file_entry(fields.object(kWeightsName), {"file", "sha256"});
    fields.require(network.weights->name == file.stem().string() + ".bin", kWeightsName,
                   "is not the file of the network's name ending in .bin");
    fields.require(!fields.has(kInt8Name), kInt8Name, "does not go with a network of OpenVINO's form");
  }
  if (fields.has(kInt8Name)) {
    network.int8 = read_file_entry(fields.object(kInt8Name), {"file", "sha256"});
    fields.require(network.int8->name != network.fp32.name, kInt8Name, "is the same file");
  }
  return network;
}

nlohmann::ordered_json to_json(const NetworkFiles& network) {
  nlohmann::ordered_json json = {{"file", network.fp32.name}, {"sha256", network.fp32.sha256}};
  if (network.weights)
    json[kWeightsName] = {{"file", network.weights->name}, {"sha256", network.weights->sha256}};
  if (network.int8) json[kInt8Name] = {{"file", network.int8->name}, {"sha256", network.int8->sha256}};
  return json;
}

InputSpec read_input(const FieldReader& fields) {
  InputSpec input;
  input.width = fields.integer("width", 32, 4096);
  input.height = fields.integer("height", 32, 4096);
  // Cards written before lungs were looked for do not name a framing.
  if (fields.has("framing")) {
    const std::string framing = fields.text("framing");
    fields.require(framing == kFilmName || framing == kLungsName, "framing", "is neither 'film' nor 'lungs'");
    if (framing == kLungsName) {
      input.framing = Framing::kLungs;
      input.margin = fields.number("margin");
      const std::string tone = fields.text("tone");
      fields.require(tone == kStretchName || tone == kEqualiseName, "tone",
                     "is neither 'stretch' nor 'equalise'");
      input.tone = tone == kEqualiseName ? Tone::kEqualise : Tone::kStretch;
      fields.require(input.margin >= 0 && input.margin <= 1, "margin", "is not between 0 and 1");
    }
  }
  if (input.framing == Framing::kFilm) {
    read_choice(fields, "fit", kFits, "is neither 'squash' nor 'crop' nor 'pad'", input.fit);
    read_choice(fields, "interpolation", kInterpolations,
                "is neither 'antialiased' nor 'bilinear' nor 'nearest'", input.interpolation);
  } else {
    fields.require(!fields.has("fit") && !fields.has("interpolation"), "fit",
                   "and interpolation are for films that are not framed by lungs");
  }
  const std::string normalisation = fields.text("normalisation");
  if (normalisation == kFixedName) {
    input.normalisation = Normalisation::kFixed;
    input.mean = static_cast<float>(fields.number("mean"));
    input.scale = static_cast<float>(fields.positive_number("scale"));
    fields.allow_only({"width", "height", "framing", "margin", "tone", "fit", "interpolation",
                       "normalisation", "mean", "scale"});
  } else {
    fields.require(normalisation == kPerImageName, "normalisation", "is neither 'per_image' nor 'fixed'");
    fields.allow_only(
        {"width", "height", "framing", "margin", "tone", "fit", "interpolation", "normalisation"});
  }
  return input;
}

nlohmann::ordered_json to_json(const InputSpec& input) {
  nlohmann::ordered_json json = {{"width", input.width}, {"height", input.height}};
  switch (input.framing) {
    case Framing::kFilm:
      if (input.fit != Fit::kSquash) json["fit"] = kFits[static_cast<std::size_t>(input.fit)];
      if (input.interpolation != Interpolation::kAntialiased)
        json["interpolation"] = kInterpolations[static_cast<std::size_t>(input.interpolation)];
      break;
    case Framing::kLungs:
      json["framing"] = kLungsName;
      json["margin"] = input.margin;
      json["tone"] = input.tone == Tone::kEqualise ? kEqualiseName : kStretchName;
      break;
  }
  switch (input.normalisation) {
    case Normalisation::kPerImage:
      json["normalisation"] = kPerImageName;
      break;
    case Normalisation::kFixed:
      json["normalisation"] = kFixedName;
      json["mean"] = input.mean;
      json["scale"] = input.scale;
      break;
  }
  return json;
}

}  // namespace xray
