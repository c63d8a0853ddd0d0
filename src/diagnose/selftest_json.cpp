#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "diagnose/selftest.h"
#include "model/field_reader.h"
#include "model/network_files.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFile = "selftest.json";
constexpr const char* kPng = "png";
constexpr const char* kJpeg = "jpeg";

Json to_json(const SelftestPicture& picture) {
  return {{"seed", picture.seed},
          {"opacity", picture.opacity},
          {"crop", picture.crop},
          {"noise", picture.noise},
          {"turn", picture.upside_down ? 180 : 0},
          {"scale", picture.scale},
          {"encoding", picture.jpeg ? kJpeg : kPng}};
}

SelftestPicture read_picture(const FieldReader& fields) {
  const auto share = [&](const char* key, double most) {
    const double value = fields.number(key);
    fields.require(value >= 0 && value <= most, key, "is out of range");
    return value;
  };
  SelftestPicture picture;
  picture.seed = static_cast<std::uint64_t>(fields.integer("seed", 0, 1'000'000));
  picture.opacity = share("opacity", 1);
  picture.crop = share("crop", 0.3);
  picture.noise = share("noise", 1);
  const int turn = fields.integer("turn", 0, 180);
  fields.require(turn == 0 || turn == 180, "turn", "is neither 0 nor 180");
  picture.upside_down = turn == 180;
  picture.scale = fields.integer("scale", 1, 4);
  const std::string encoding = fields.text("encoding");
  fields.require(encoding == kPng || encoding == kJpeg, "encoding", "is neither 'png' nor 'jpeg'");
  picture.jpeg = encoding == kJpeg;
  fields.allow_only({"seed", "opacity", "crop", "noise", "turn", "scale", "encoding"});
  return picture;
}

Json to_json(const PinnedFinding& pinned) {
  Json json = {{"verdict", name(pinned.verdict)}, {"reasons", Json::array()}};
  for (const Reason reason : pinned.reasons) json["reasons"].push_back(name(reason));
  json["pneumonia"] = pinned.pneumonia;
  if (pinned.score) json["score"] = *pinned.score;
  return json;
}

PinnedFinding read_finding(const FieldReader& fields) {
  PinnedFinding pinned;
  const auto verdict = verdict_from(fields.text("verdict"));
  fields.require(verdict.has_value(), "verdict", "is no verdict");
  pinned.verdict = verdict.value_or(Verdict::kNormal);
  for (const std::string& text : fields.texts("reasons")) {
    const auto reason = reason_from(text);
    fields.require(reason.has_value(), "reasons", "holds what is no reason");
    if (reason) pinned.reasons.push_back(*reason);
  }
  pinned.pneumonia = fields.number("pneumonia");
  fields.require(pinned.pneumonia >= 0 && pinned.pneumonia <= 100, "pneumonia", "is not from 0 to 100");
  if (fields.has("score")) pinned.score = fields.number("score");
  fields.allow_only({"verdict", "reasons", "pneumonia", "score"});
  return pinned;
}

Json to_json(const PinnedNetwork& network) {
  Json json = {{"sha256", network.sha256},
               {"tolerance", {{"log_odds", network.log_odds_tolerance}, {"score", network.score_tolerance}}},
               {"findings", Json::array()}};
  for (const PinnedFinding& pinned : network.findings) json["findings"].push_back(to_json(pinned));
  return json;
}

/// The elements of a list, each an object.
template <typename Read>
auto read_list(const FieldReader& fields, const char* key, std::optional<Error>& failure, const Read& read) {
  std::vector<decltype(read(fields))> all;
  const Json& list = fields.list(key);
  fields.require(!list.empty() && list.size() <= Selftest::kMostPictures, key,
                 "does not hold 1 to 32 elements");
  for (const Json& element : list) {
    if (failure) break;
    all.push_back(read(FieldReader(element, std::string("selftest.") + key, failure)));
  }
  return all;
}

PinnedNetwork read_network(const FieldReader& fields, std::optional<Error>& failure) {
  PinnedNetwork network;
  network.sha256 = fields.text("sha256");
  const FieldReader tolerance = fields.object("tolerance");
  network.log_odds_tolerance = tolerance.positive_number("log_odds");
  network.score_tolerance = tolerance.positive_number("score");
  tolerance.allow_only({"log_odds", "score"});
  network.findings = read_list(fields, "findings", failure, read_finding);
  fields.allow_only({"sha256", "tolerance", "findings"});
  return network;
}

}  // namespace

Json to_json(const Selftest& selftest) {
  Json json = {{"format", Selftest::kFormat}, {"pictures", Json::array()}};
  for (const SelftestPicture& picture : selftest.pictures) json["pictures"].push_back(to_json(picture));
  for (const Precision precision : {Precision::kFp32, Precision::kInt8})
    if (const auto& network = selftest.of(precision)) json[name(precision)] = to_json(*network);
  return json;
}

Result<Selftest> selftest_from_json(const Json& json) {
  std::optional<Error> failure;
  const FieldReader fields(json, "selftest", failure);
  if (failure) return *failure;
  fields.integer("format", Selftest::kFormat, Selftest::kFormat);
  Selftest selftest;
  selftest.pictures = read_list(fields, "pictures", failure, read_picture);
  const auto network = [&](Precision precision) -> std::optional<PinnedNetwork> {
    if (!fields.has(name(precision))) return std::nullopt;
    auto read = read_network(fields.object(name(precision)), failure);
    fields.require(read.findings.size() == selftest.pictures.size(), name(precision),
                   "does not hold one finding a picture");
    return read;
  };
  selftest.fp32 = network(Precision::kFp32);
  selftest.int8 = network(Precision::kInt8);
  fields.allow_only({"format", "pictures", name(Precision::kFp32), name(Precision::kInt8)});
  if (failure) return *failure;
  return selftest;
}

Result<std::optional<Selftest>> find_selftest(const std::filesystem::path& package) {
  std::error_code ignored;
  if (!std::filesystem::exists(package / kFile, ignored)) return std::optional<Selftest>();
  const auto json = read_part(package, kFile);
  if (!json) return Error{ErrorCode::kBadModel, json.error().message};
  auto selftest = selftest_from_json(*json);
  if (!selftest) return selftest.error();
  return std::optional(std::move(*selftest));
}

Result<Done> write_selftest(const std::filesystem::path& package, const Selftest& selftest) {
  if (auto written = write_file(package / kFile, to_json(selftest).dump(2) + "\n"); !written)
    return with_context(written.error(), kFile);
  return Done{};
}

}  // namespace xray
