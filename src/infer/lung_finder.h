#pragma once

#include <filesystem>
#include <memory>

#include "common/result.h"
#include "infer/backend.h"
#include "model/lungs.h"
#include "preprocess/lung_field.h"

namespace xray {

/// Finds the lungs on a film; tests put a fake in its place.
class LungFinder {
 public:
  virtual ~LungFinder() = default;

  /// Probabilities on the network's grid over the whole film. Thread-safe. kInternal.
  virtual Result<LungField> find(const Image& film) = 0;
};

/// Compiles the lung network that lies in `directory` with OpenVINO for the CPU.
/// kBadModel where it cannot be read or is not what `model` says.
Result<std::unique_ptr<LungFinder>> make_lung_finder(const std::filesystem::path& directory,
                                                     const LungModel& model,
                                                     const BackendOptions& options = {});

}  // namespace xray
