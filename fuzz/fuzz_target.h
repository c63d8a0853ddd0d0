#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/file.h"

/// What libFuzzer, or the replay, calls for each input. A target defines this
/// and seeds(); it fails by crashing, by a sanitizer's report or by an exception.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace xray::fuzz {

/// Valid inputs of every kind from which mutations start.
std::vector<Bytes> seeds();

/// Fails the target where the code under test breaks a promise.
inline void require(bool promise, std::source_location where = std::source_location::current()) {
  if (promise) return;
  throw std::logic_error(std::string(where.file_name()) + ":" + std::to_string(where.line()) +
                         ": a promise is broken");
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace xray::fuzz
