#include "fuzz_target.h"
#include "image/decode.h"
#include "image/encode.h"
#include "support/phantom.h"
#include "support/pictures.h"

namespace {

using namespace xray;
using fuzz::require;

// Low enough that no input takes long, high enough that real headers pass.
constexpr DecodeLimits kLimits = {.max_bytes = 1U << 20U, .max_pixels = 4'000'000};

/// What decode_image() promises of every picture that it returns.
void check(std::span<const std::byte> bytes, DecodeSize size) {
  const Result<Image> image = decode_image(bytes, kLimits, size);
  if (!image) {
    require(!image.error().message.empty());
    return;
  }
  const std::size_t pixels = image->bits() == 8 ? image->pixels8().size() : image->pixels16().size();
  require(pixels == static_cast<std::size_t>(image->width()) * static_cast<std::size_t>(image->height()));
  require(image->source_width() >= image->width() && image->source_height() >= image->height());
  require(image->width() == image->source_width() || image->width() >= size.min_width);
  require(image->height() == image->source_height() || image->height() >= size.min_height);
}

std::uint32_t read_number(std::span<const std::byte> bytes) {
  std::uint32_t number = 0;
  for (const std::byte byte : bytes.first(4)) number = number << 8U | std::to_integer<std::uint32_t>(byte);
  return number;
}

/// CRC-32 as PNG has it (ISO 3309).
std::uint32_t checksum(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

/// A PNG whose checksums are right again, without which no injury would get past the first of them.
Bytes with_right_checksums(std::span<const std::byte> png) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kFrame = 12;  // length, type, checksum
  Bytes bytes(png.begin(), png.end());
  for (std::size_t at = kSignature; at < bytes.size() && bytes.size() - at >= kFrame;) {
    const std::span<std::byte> rest = std::span(bytes).subspan(at);
    const std::size_t length = read_number(rest);
    if (length > rest.size() - kFrame) break;
    const std::uint32_t crc = checksum(rest.subspan(4, 4 + length));
    for (unsigned i = 0; i < 4; ++i) rest[8 + length + i] = static_cast<std::byte>(crc >> (24 - 8 * i));
    at += kFrame + length;
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  check(bytes, {});
  if (sniff_format(bytes) == ImageFormat::kPng) {
    check(with_right_checksums(bytes), {});
  } else {
    check(bytes, {.min_width = 24, .min_height = 24});
  }
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  const Image phantom = test::make_phantom({.width = 61, .height = 43});
  const test::RgbPicture picture = test::to_rgb(phantom);
  std::vector<Bytes> seeds = {
      encode_png(phantom, 0).value(),
      encode_png(test::make_phantom({.width = 19, .height = 9, .bits = 16})).value(),
      encode_jpeg(phantom).value(),
      test::make_jpeg(picture, {.arithmetic = true}),
      test::make_jpeg(picture, {.progressive = true, .app1 = test::make_exif(6)}),
      test::make_jpeg(picture, {.colours = test::JpegColours::kCmyk, .adobe_marker = false}),
  };
  for (const auto colours : {test::JpegColours::kYcc, test::JpegColours::kRgb, test::JpegColours::kYcck}) {
    seeds.push_back(test::make_jpeg(picture, {.colours = colours, .restart_rows = 1}));
    seeds.push_back(test::make_jpeg(picture, {.colours = colours, .progressive = true}));
  }
  for (const bool interlaced : {false, true}) {
    const auto add = [&](test::PngColours colours, std::size_t channels, int depth,
                         const std::vector<test::PaletteEntry>& palette = {}) {
      const std::vector<std::uint16_t> samples(35 * channels, 1);
      seeds.push_back(test::make_png(samples, {7, 5, colours, depth, interlaced, palette}));
    };
    add(test::PngColours::kGray, 1, 1);
    add(test::PngColours::kGrayAlpha, 2, 16);
    add(test::PngColours::kRgb, 3, 8);
    add(test::PngColours::kRgba, 4, 16);
    add(test::PngColours::kPalette, 1, 4, {{1, 2, 3, 255}, {200, 100, 0, 40}});
  }
  return seeds;
}
