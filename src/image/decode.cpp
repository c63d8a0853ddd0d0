#include "image/decode.h"

#include "common/file.h"

#include <array>
#include <string>

#include "image/codecs.h"

namespace xray {
namespace {

/// Text that a file carries at a fixed place.
struct Magic {
  std::size_t offset;
  std::string_view text;
};

bool has_magic(std::span<const std::byte> bytes, const Magic& magic) {
  if (bytes.size() < magic.offset + magic.text.size()) return false;
  for (std::size_t i = 0; i < magic.text.size(); ++i) {
    if (std::to_integer<unsigned char>(bytes[magic.offset + i]) !=
        static_cast<unsigned char>(magic.text[i])) {
      return false;
    }
  }
  return true;
}

/// A format that is recognised only to say its name.
struct ForeignFormat {
  Magic magic;
  std::string_view name;
};

using namespace std::string_view_literals;
constexpr std::array kForeignFormats = {
    ForeignFormat{{128, "DICM"sv}, "a DICOM file"},
    ForeignFormat{{0, "GIF8"sv}, "a GIF picture"},
    ForeignFormat{{0, "II*\0"sv}, "a TIFF picture"},
    ForeignFormat{{0, "MM\0*"sv}, "a TIFF picture"},
    ForeignFormat{{8, "WEBP"sv}, "a WebP picture"},
    ForeignFormat{{0, "%PDF-"sv}, "a PDF document"},
    ForeignFormat{{4, "ftypheic"sv}, "a HEIC picture"},
    ForeignFormat{{4, "ftypavif"sv}, "an AVIF picture"},
    ForeignFormat{{0, "\0\0\0\x0CjP  \r\n\x87\n"sv}, "a JPEG 2000 picture"},
    ForeignFormat{{0, "\xFF\x4F\xFF\x51"sv}, "a JPEG 2000 picture"},
    ForeignFormat{{0, "BM"sv}, "a BMP picture"},
};

/// "50 MB", "1.5 MB", rounded up so that a size over a limit never reads like the limit.
std::string millions(std::uint64_t count) {
  const std::uint64_t tenths = count / 100'000 + (count % 100'000 != 0 ? 1 : 0);
  std::string text = std::to_string(tenths / 10);
  if (tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text;
}

}  // namespace

ImageFormat sniff_format(std::span<const std::byte> bytes) {
  if (has_magic(bytes, {0, "\xFF\xD8\xFF"sv})) return ImageFormat::kJpeg;
  if (has_magic(bytes, {0, "\x89PNG\r\n\x1A\n"sv})) return ImageFormat::kPng;
  return ImageFormat::kUnknown;
}

std::string_view media_type(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "image/jpeg";
    case ImageFormat::kPng:
      return "image/png";
    case ImageFormat::kUnknown:
      break;
  }
  return "application/octet-stream";
}

Result<Image> decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits, DecodeSize size) {
  if (bytes.size() > limits.max_bytes) {
    return Error{ErrorCode::kTooLarge, "the file has " + millions(bytes.size()) + " million bytes; at most " +
                                           millions(limits.max_bytes) + " million are read"};
  }
  switch (sniff_format(bytes)) {
    case ImageFormat::kJpeg:
      return decode_jpeg(bytes, limits, size);
    case ImageFormat::kPng:
      return decode_png(bytes, limits);
    case ImageFormat::kUnknown:
      break;
  }
  for (const ForeignFormat& format : kForeignFormats) {
    if (has_magic(bytes, format.magic)) {
      return Error{ErrorCode::kUnsupported,
                   std::string(format.name) + " is not read here; JPEG and PNG pictures are"};
    }
  }
  if (bytes.empty()) return Error{ErrorCode::kNotAPicture, "the file is empty"};
  return Error{ErrorCode::kNotAPicture, "the file is not a picture; JPEG and PNG pictures are read"};
}

Result<Done> check_pixels(std::uint32_t width, std::uint32_t height, const DecodeLimits& limits) {
  const std::uint64_t pixels = std::uint64_t{width} * height;
  if (pixels <= limits.max_pixels) return Done{};
  return Error{ErrorCode::kTooLarge, "the picture has " + millions(pixels) + " megapixels; at most " +
                                         millions(limits.max_pixels) + " are read"};
}

Error incomplete() {
  return {ErrorCode::kDamaged, "the file ends before its picture is complete"};
}

Result<Image> read_image(const std::filesystem::path& path, const DecodeLimits& limits, DecodeSize size) {
  const Result<Bytes> bytes = read_file(path, limits.max_bytes);
  if (!bytes) return bytes.error();
  return decode_image(*bytes, limits, size);
}

}  // namespace xray
