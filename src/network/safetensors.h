#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/result.h"

namespace xray {

/// A named array of floats, row-major.
struct WeightArray {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using WeightArrays = std::map<std::string, WeightArray>;

/// The F32 tensors of a .safetensors file (others are passed over). kNotFound;
/// kDamaged where header and data disagree.
Result<WeightArrays> read_safetensors(const std::filesystem::path& path);

}  // namespace xray
