#pragma once

#include <cstddef>
#include <span>

#include "common/result.h"

namespace xray {

/// What has to be known of a foreign ONNX file before a reader gets it.
struct OnnxFacts {
  bool external_data = false;  ///< a tensor, however deep in sub-graphs, lies in another file
};

/// kBadModel where the bytes are no ONNX file.
Result<OnnxFacts> onnx_facts(std::span<const std::byte> bytes);

}  // namespace xray
