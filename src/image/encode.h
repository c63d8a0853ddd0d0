#pragma once

#include <cstdint>
#include <span>

#include "common/file.h"
#include "common/result.h"
#include "image/image.h"

namespace xray {

// All of them: kInvalidArgument for an empty picture, one too large for the
// format, or a level or quality out of its range. Thread-safe.

/// 8- or 16-bit gray PNG without any metadata. `level`: zlib's, 0 to 9.
Result<Bytes> encode_png(const Image& image, int level = 3);

/// 8-bit RGBA PNG from row-major pixels of 4 bytes; kInvalidArgument on a size mismatch.
Result<Bytes> encode_png_rgba(int width, int height, std::span<const std::uint8_t> rgba, int level = 3);

/// 8-bit gray baseline JPEG (16-bit pictures are scaled down). `quality`: 1 to 100.
Result<Bytes> encode_jpeg(const Image& image, int quality = 90);

}  // namespace xray
