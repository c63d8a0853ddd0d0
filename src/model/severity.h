#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/result.h"
#include "model/network_files.h"
#include "preprocess/preprocess.h"

namespace xray {

/// Folder of a model package in which the severity model may lie. It is a part of its own, with
/// its own data and licence: a package without that folder works, and tells no severity.
inline constexpr const char* kSeverityFolder = "severity";

/// How far severity may be off. Each kept nine times in ten, on films of patients not trained on.
struct SeverityMargins {
  double score = 18;           ///< from the radiologists' mean score (0..18)
  double score_change = 18;    ///< between two exposures of the same chest
  double zone_change = 3;      ///< likewise, of one zone's score (0..3)
  double extent_change = 100;  ///< likewise, of the extent, in per cent of the lungs
};

/// The network that finds opacity in the lungs (input "image", N x 1 x height x width, framed by
/// the lungs; output "opacity", N x 1 x height/8 x width/8, log-odds) and how far its scores are
/// to be trusted. `severity.json` and its networks in a folder of their own.
struct SeverityModel {
  NetworkFiles network{.fp32 = {"opacity.onnx", ""}, .int8 = {}};
  InputSpec input{.width = 128, .height = 128, .framing = Framing::kLungs};
  /// A cell of the lungs is half opaque here, 0..1; none of it at half that, all at half as much again.
  double opaque = 0.4;
  /// A film with a score (0..18) from here on is hardly normal: at most one normal film in a
  /// hundred, of patients not trained on, reaches it.
  double hardly_normal = 18;
  double hardly_normal_zone = 3;  ///< likewise, of one zone's score (0..3)
  SeverityMargins margins;
  nlohmann::ordered_json about = nlohmann::ordered_json::object();  ///< for people: data, licence, quality
};

nlohmann::ordered_json to_json(const SeverityModel& model);
/// kBadModel, naming the field.
Result<SeverityModel> severity_model_from_json(const nlohmann::ordered_json& json);

/// Writes the network and `severity.json` into `directory`, each atomically. kIo.
Result<Done> write_severity_model(const std::filesystem::path& directory, SeverityModel model,
                                  const NetworkBytes& network);

/// The severity model in a package's folder kSeverityFolder; nothing without that folder. kBadModel.
Result<std::optional<SeverityModel>> find_severity_model(const std::filesystem::path& package);

/// Reads `severity.json` and checks its network's SHA-256. kNotFound, kBadModel.
Result<SeverityModel> load_severity_model(const std::filesystem::path& directory);

}  // namespace xray
