#include "model/field_reader.h"

namespace xray {
namespace {

constexpr const char* kInt8Name = "int8";
constexpr const char* kPerImageName = "per_image";
constexpr const char* kFixedName = "fixed";
constexpr const char* kFilmName = "film";
constexpr const char* kLungsName = "lungs";
constexpr const char* kStretchName = "stretch";
constexpr const char* kEqualiseName = "equalise";

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
  NetworkFiles network{.fp32 = read_file_entry(fields, {"file", "sha256", kInt8Name}), .int8 = {}};
  if (fields.has(kInt8Name)) {
    network.int8 = read_file_entry(fields.object(kInt8Name), {"file", "sha256"});
    fields.require(network.int8->name != network.fp32.name, kInt8Name, "is the same file");
  }
  return network;
}

nlohmann::ordered_json to_json(const NetworkFiles& network) {
  nlohmann::ordered_json json = {{"file", network.fp32.name}, {"sha256", network.fp32.sha256}};
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
  const std::string normalisation = fields.text("normalisation");
  if (normalisation == kFixedName) {
    input.normalisation = Normalisation::kFixed;
    input.mean = static_cast<float>(fields.number("mean"));
    input.scale = static_cast<float>(fields.positive_number("scale"));
    fields.allow_only({"width", "height", "framing", "margin", "tone", "normalisation", "mean", "scale"});
  } else {
    fields.require(normalisation == kPerImageName, "normalisation", "is neither 'per_image' nor 'fixed'");
    fields.allow_only({"width", "height", "framing", "margin", "tone", "normalisation"});
  }
  return input;
}

nlohmann::ordered_json to_json(const InputSpec& input) {
  nlohmann::ordered_json json = {{"width", input.width}, {"height", input.height}};
  switch (input.framing) {
    case Framing::kFilm:
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
