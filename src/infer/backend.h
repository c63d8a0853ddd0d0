#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/result.h"
#include "model/card.h"

namespace xray {

/// One picture's raw answer of the network.
struct Prediction {
  std::vector<float> logits;  ///< one per class of the card
  /// Class maps before pooling, classes x map_height x map_width, row-major, whose
  /// mean per class is the class's logit; empty where the network has none.
  std::vector<float> maps;
  int map_width = 0;
  int map_height = 0;
};

/// Runs a network. The one seam between us and an inference library; batching
/// and caching are wrappers around it, and tests put a fake in its place.
class Backend {
 public:
  virtual ~Backend() = default;

  /// `inputs`: `count` pictures of Preprocessor::input_size() floats each, one
  /// after the other. Returns `count` predictions in that order. Thread-safe:
  /// callers beyond the number of requests wait. kInvalidArgument, kInternal.
  virtual Result<std::vector<Prediction>> infer(std::span<const float> inputs, std::size_t count) = 0;
};

/// How a backend uses the machine.
struct BackendOptions {
  int threads = 0;                       ///< for inference in all; 0: all cores
  bool low_latency = false;              ///< one picture as fast as can be, instead of many per second
  std::optional<Precision> precision{};  ///< of the package's networks; without a wish the faster one
  /// Where compiled networks are kept for the next start; a folder of this user's own. Empty: nowhere.
  std::filesystem::path cache{};
};

/// Compiles the package's network with OpenVINO for the CPU. kNotFound where the
/// package does not hold the precision; kBadModel where the network cannot be read
/// or its inputs and outputs are not what the card says.
Result<std::unique_ptr<Backend>> make_openvino_backend(const ModelPackage& package,
                                                       const BackendOptions& options = {});

}  // namespace xray
