#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "image/decode.h"

namespace xray {

/// The JPEG part of decode_image().
Result<Image> decode_jpeg(std::span<const std::byte> bytes, const DecodeLimits& limits, DecodeSize size);

/// The PNG part of decode_image().
Result<Image> decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits);

/// kTooLarge where a picture of this size is over `limits`.
Result<Done> check_pixels(std::uint32_t width, std::uint32_t height, const DecodeLimits& limits);

/// What both formats say of a file that stops too early.
Error incomplete();

/// Luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded; exact for grays up to 16 bits.
constexpr std::uint32_t luma(std::uint32_t red, std::uint32_t green, std::uint32_t blue) {
  return (299 * red + 587 * green + 114 * blue + 500) / 1000;
}

}  // namespace xray
