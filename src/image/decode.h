#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "common/result.h"
#include "image/image.h"

namespace xray {

/// Bounds that hold before anything is decoded.
struct DecodeLimits {
  std::uint64_t max_bytes = 64ULL << 20U;   ///< of the file
  std::uint64_t max_pixels = 100'000'000U;  ///< of the picture, width * height
};

/// How much of the resolution the caller needs. 0 means all of it. A format that
/// can decode at a reduced scale (JPEG) then returns a picture that is smaller,
/// but never below `min_width` x `min_height` (upright) in either direction.
struct DecodeSize {
  int min_width = 0;
  int min_height = 0;
};

enum class ImageFormat { kUnknown, kJpeg, kPng };

/// Told by the first bytes, never by a name.
ImageFormat sniff_format(std::span<const std::byte> bytes);

/// "image/jpeg", "image/png"; "application/octet-stream" for kUnknown.
std::string_view media_type(ImageFormat format);

/// Bytes of a JPEG (baseline, progressive; gray, YCbCr, RGB, CMYK; EXIF
/// orientation) or PNG (1 to 16 bits; gray, palette, RGB, alpha laid on black,
/// interlaced) -> gray Image. Colour becomes luma by ITU-R BT.601.
///
/// kNotAPicture: no known format (empty input too). kUnsupported: a known format
/// in a variant that is not read. kTooLarge: over `limits`, told before decoding.
/// kDamaged: truncated or corrupt. Thread-safe; holds no state.
Result<Image> decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits = {},
                           DecodeSize size = {});

/// The same from a file; failures are those of read_file, too.
Result<Image> read_image(const std::filesystem::path& path, const DecodeLimits& limits = {},
                         DecodeSize size = {});

}  // namespace xray
