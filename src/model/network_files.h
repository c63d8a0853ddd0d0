#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace xray {

/// A file of a model package; `sha256` of its bytes, 64 lower-case hexadecimal digits.
struct PackageFile {
  std::string name;
  std::string sha256;
};

/// What a network calculates in.
enum class Precision {
  kFp32,  ///< 32-bit floats
  kInt8,  ///< 8-bit integers where that keeps the scores (src/quantize); faster
};

/// "fp32", "int8".
const char* name(Precision precision);

/// A network in floats and, where the package holds it, the same in 8 bit. As ONNX, or as OpenVINO's IR:
/// then `fp32` is the graph (x.xml) and `weights` lie beside it (x.bin).
struct NetworkFiles {
  PackageFile fp32;
  std::optional<PackageFile> weights{};
  std::optional<PackageFile> int8{};

  /// The file of this precision; without a wish the 8-bit one, should there be one.
  /// kNotFound: there is none.
  Result<std::string> file(std::optional<Precision> precision = {}) const;
};

/// The bytes of a network; `int8` may be empty, and `weights` are for the IR alone.
struct NetworkBytes {
  std::string_view fp32;
  std::string_view int8 = {};
  std::string_view weights = {};
};

/// Reads all of its files and compares their SHA-256. kBadModel.
Result<Done> check_network_files(const std::filesystem::path& directory, const NetworkFiles& network);

/// Names the other files after the first ("x.onnx", "x.int8.onnx"; "x.xml", "x.bin") and sets the SHA-256
/// of each.
void describe_network(NetworkFiles& network, const NetworkBytes& bytes);

/// Writes each file of a described network atomically. kIo.
Result<Done> write_network_files(const std::filesystem::path& directory, const NetworkFiles& network,
                                 const NetworkBytes& bytes);

/// A part of a model with a card of its own: makes `directory`, writes the networks, then the
/// card, each atomically. kIo.
Result<Done> write_part(const std::filesystem::path& directory, const char* card,
                        const nlohmann::ordered_json& json, const NetworkFiles& network,
                        const NetworkBytes& bytes);
/// Such a card. kNotFound, kBadModel.
Result<nlohmann::ordered_json> read_part(const std::filesystem::path& directory, const char* card);

}  // namespace xray
