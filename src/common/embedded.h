#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace xray {

/// A file that the program carries inside itself (cmake/Embed.cmake). Static storage.
struct EmbeddedFile {
  std::string_view path;    ///< relative to the folder it came from, with "/"
  std::string_view sha256;  ///< of the bytes, 64 lower-case hexadecimal digits
  std::span<const std::byte> bytes;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT: bytes seen as text
  }
};

}  // namespace xray
