#pragma once

#include <filesystem>
#include <memory>

#include "common/result.h"
#include "infer/backend.h"
#include "model/severity.h"
#include "preprocess/lung_zones.h"

namespace xray {

/// Finds what is opaque in the lungs of a film; tests put a fake in its place.
class OpacityFinder {
 public:
  virtual ~OpacityFinder() = default;

  /// Of a standard_film() and its lungs. Thread-safe. kUnusable where no lungs can be made out;
  /// kInternal.
  virtual Result<OpacityMap> find(const Image& film, const LungField& lungs) = 0;
};

/// Compiles the network that lies in `directory` with OpenVINO for the CPU. kBadModel where it
/// cannot be read or is not what `model` says.
Result<std::unique_ptr<OpacityFinder>> make_opacity_finder(const std::filesystem::path& directory,
                                                           const SeverityModel& model,
                                                           const BackendOptions& options = {});

}  // namespace xray
