#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "model/lungs.h"
#include "model/network_files.h"
#include "preprocess/preprocess.h"

namespace xray {

/// How logits become percentages: softmax(logits / temperature), then the
/// probability of pneumonia passes logit -> slope * logit + intercept -> sigmoid
/// (Platt 1999; identity by default). Fitted on validation data alone.
struct Calibration {
  double temperature = 1.0;
  double slope = 1.0;
  double intercept = 0.0;
  /// Likewise for viral against bacterial: kind_slope * (viral logit - bacterial logit) /
  /// temperature + kind_intercept -> sigmoid.
  double kind_slope = 1.0;
  double kind_intercept = 0.0;
};

/// Calibrated probabilities at which no verdict is given: `low` <= p < `high`, the
/// threshold between them; none where equal.
struct Undecided {
  double low = 0;
  double high = 0;
};

/// Where a network came from that other tools trained.
struct ImportedFrom {
  std::string source;  ///< name of the file or folder
  std::string format;  ///< "TensorFlow SavedModel", ...
  std::string sha256;  ///< of the file; of a folder, of the list of its files (docs/models.md)
};

/// Who a model is and how to use it; `card.json` of a model package. What the
/// program acts on is typed; what is for people to read (training data, quality,
/// intended use, limits, licence) stays JSON: `about` carries every other
/// top-level key of the card whole, and is written back after the typed ones.
struct ModelCard {
  static constexpr int kFormat = 1;

  std::string name;
  std::string version;
  NetworkFiles network{.fp32 = {"network.onnx", ""}, .int8 = {}};
  InputSpec input;
  std::optional<LungModel> lungs;  ///< there where input.framing is kLungs
  std::vector<std::string>
      classes;  ///< in the order of the logits: "normal", then "pneumonia" or "bacterial", "viral"
  Calibration calibration;
  double threshold = 0.5;  ///< verdict pneumonia at or above, on the calibrated probability
  Undecided undecided;
  std::optional<ImportedFrom> imported;
  nlohmann::ordered_json about = nlohmann::ordered_json::object();

  /// "name version", as it stands in findings.
  std::string id() const { return name + " " + version; }
};

/// Throws std::invalid_argument where `about` holds a typed field's name.
nlohmann::ordered_json to_json(const ModelCard& card);

/// kBadModel, naming the field, for anything missing, of the wrong type, out of
/// range, or unknown inside a typed field.
Result<ModelCard> card_from_json(const nlohmann::ordered_json& json);

/// A folder with `card.json` and the networks it names.
struct ModelPackage {
  std::filesystem::path directory;
  ModelCard card;
};

/// Reads and checks the card alone. kNotFound, kBadModel.
Result<ModelCard> load_card(const std::filesystem::path& directory);

/// Reads and checks the card and the SHA-256 of each network. kNotFound, kBadModel.
Result<ModelPackage> load_package(const std::filesystem::path& directory);

/// Writes the networks and then the card (with their SHA-256) into `directory`, each
/// atomically; the directory is made. `lungs` are the bytes of card.lungs, empty where
/// there is none. kIo; kBadModel for a card that could not be read back.
Result<Done> write_package(const std::filesystem::path& directory, ModelCard card,
                           const NetworkBytes& network, const NetworkBytes& lungs = {});

}  // namespace xray
