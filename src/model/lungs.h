#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/result.h"
#include "model/network_files.h"
#include "preprocess/lung_gate.h"
#include "preprocess/preprocess.h"

namespace xray {

/// The network that finds the lungs on a film: input "image" (N x 1 x height x width,
/// the whole film), output "lungs" (as large, log-odds). Part of a model card, or
/// alone in a folder as `lungs.json`.
struct LungModel {
  NetworkFiles network{.fp32 = {"lungs.onnx", ""}, .int8 = {}};
  InputSpec input{.width = 128, .height = 128};
  std::optional<LungGate> gate;  ///< refuses what is no upright frontal film
  nlohmann::ordered_json about = nlohmann::ordered_json::object();  ///< quality, training: for people
};

/// {"network": {"file", "sha256", ...}, "input": {...}, "gate": {...}, ...about}; without a
/// gate, without that. Templates are rows of two hexadecimal digits a cell.
nlohmann::ordered_json to_json(const LungModel& model);
/// kBadModel, naming the field.
Result<LungModel> lung_model_from_json(const nlohmann::ordered_json& json);

/// Writes the network and `lungs.json` into `directory`, each atomically. kIo.
Result<Done> write_lung_model(const std::filesystem::path& directory, LungModel model,
                              const NetworkBytes& network);

/// Reads `lungs.json` and checks its network's SHA-256. kNotFound, kBadModel.
Result<LungModel> load_lung_model(const std::filesystem::path& directory);

}  // namespace xray
