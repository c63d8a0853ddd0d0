#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/file.h"

/// What libFuzzer, or the replay, calls for each input. A target defines this
/// and seeds(); it fails by crashing, by a sanitizer's report or by an exception.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace xray::fuzz {

/// Valid inputs of every kind from which mutations start.
std::vector<Bytes> seeds();

}  // namespace xray::fuzz
