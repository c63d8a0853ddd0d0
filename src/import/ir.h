#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/result.h"

namespace ov {
class Model;
}

namespace xray {

/// The bytes of a network in OpenVINO's form (IR), as a package may keep it.
struct IrBytes {
  std::string graph;    ///< .xml; names the SHA-256 of the weights
  std::string weights;  ///< .bin
};

/// Weights as they are, 32-bit floats. Notes their SHA-256 in the network. Throws ov::Exception.
IrBytes to_ir(const std::shared_ptr<ov::Model>& network);

/// A network of a package in that form. kBadModel where it cannot be read.
Result<IrBytes> read_as_ir(const std::filesystem::path& network);

/// {"inputs": [{"name", "shape", "type"}], "outputs": [...]} of a package's network; -1 for what is free.
/// kBadModel.
Result<nlohmann::ordered_json> ports_of(const std::filesystem::path& network);

}  // namespace xray
