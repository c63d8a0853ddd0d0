#include "support/pictures.h"

#include <spng.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

// After <cstddef> and <cstdio>, on which it relies.
#include <jpeglib.h>

namespace xray::test {
namespace {

Bytes take(void* data, std::size_t size) {
  const auto* begin = static_cast<const std::byte*>(data);
  Bytes bytes(begin, begin + size);
  std::free(data);
  return bytes;
}

void require_png(int code) {
  if (code != SPNG_OK) throw std::runtime_error(std::string("libspng: ") + spng_strerror(code));
}

int channels(PngColours colours) {
  switch (colours) {
    case PngColours::kGrayAlpha:
      return 2;
    case PngColours::kRgb:
      return 3;
    case PngColours::kRgba:
      return 4;
    case PngColours::kGray:
    case PngColours::kPalette:
      break;
  }
  return 1;
}

std::uint8_t color_type(PngColours colours) {
  switch (colours) {
    case PngColours::kGray:
      return SPNG_COLOR_TYPE_GRAYSCALE;
    case PngColours::kRgb:
      return SPNG_COLOR_TYPE_TRUECOLOR;
    case PngColours::kPalette:
      return SPNG_COLOR_TYPE_INDEXED;
    case PngColours::kGrayAlpha:
      return SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    case PngColours::kRgba:
      break;
  }
  return SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
}

/// Samples as libspng wants them: 16 bits in the machine's order, fewer than 8 packed from the left.
Bytes pack(const std::vector<std::uint16_t>& samples, std::size_t row_samples, int bit_depth) {
  if (bit_depth == 16) {
    const auto bytes = std::as_bytes(std::span(samples));
    return {bytes.begin(), bytes.end()};
  }
  Bytes packed;
  for (std::size_t row = 0; row < samples.size(); row += row_samples) {
    unsigned byte = 0;
    int bits = 0;
    for (std::size_t i = 0; i < row_samples; ++i) {
      byte = (byte << static_cast<unsigned>(bit_depth)) | samples[row + i];
      bits += bit_depth;
      if (bits == 8 || i + 1 == row_samples) {
        packed.push_back(static_cast<std::byte>(byte << static_cast<unsigned>(8 - bits)));
        byte = 0;
        bits = 0;
      }
    }
  }
  return packed;
}

/// One row of inks, as Adobe has them: 255 is no ink, as much black as possible.
std::vector<JSAMPLE> to_inks(std::span<const std::uint8_t> rgb, bool inverted) {
  std::vector<JSAMPLE> inks;
  for (std::size_t i = 0; i < rgb.size(); i += 3) {
    const int brightest = std::max({rgb[i], rgb[i + 1], rgb[i + 2]});
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const int light = brightest == 0 ? 255 : rgb[i + channel] * 255 / brightest;
      inks.push_back(static_cast<JSAMPLE>(inverted ? light : 255 - light));
    }
    inks.push_back(static_cast<JSAMPLE>(inverted ? brightest : 255 - brightest));
  }
  return inks;
}

/// What libjpeg is given for one row of the picture.
std::vector<JSAMPLE> to_samples(std::span<const std::uint8_t> rgb, const JpegOptions& options) {
  std::vector<JSAMPLE> samples;
  switch (options.colours) {
    case JpegColours::kYcc:
    case JpegColours::kRgb:
      return {rgb.begin(), rgb.end()};
    case JpegColours::kCmyk:
    case JpegColours::kYcck:
      return to_inks(rgb, options.adobe_marker);
    case JpegColours::kGray:
      for (std::size_t i = 1; i < rgb.size(); i += 3) samples.push_back(rgb[i]);
      break;
    case JpegColours::kTwoComponents:
      for (std::size_t i = 1; i < rgb.size(); i += 3) samples.insert(samples.end(), {rgb[i], rgb[i]});
      break;
  }
  return samples;
}

void set_colours(jpeg_compress_struct& info, JpegColours colours) {
  struct Spaces {
    int components;
    J_COLOR_SPACE in;
    J_COLOR_SPACE in_file;
  };
  const Spaces spaces = [colours]() -> Spaces {
    switch (colours) {
      case JpegColours::kGray:
        return {1, JCS_GRAYSCALE, JCS_GRAYSCALE};
      case JpegColours::kYcc:
        return {3, JCS_RGB, JCS_YCbCr};
      case JpegColours::kRgb:
        return {3, JCS_RGB, JCS_RGB};
      case JpegColours::kCmyk:
        return {4, JCS_CMYK, JCS_CMYK};
      case JpegColours::kYcck:
        return {4, JCS_CMYK, JCS_YCCK};
      case JpegColours::kTwoComponents:
        break;
    }
    return {2, JCS_UNKNOWN, JCS_UNKNOWN};
  }();
  info.input_components = spaces.components;
  info.in_color_space = spaces.in;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, spaces.in_file);
}

/// Every coefficient alone, first without its lowest bit, then that bit.
std::vector<jpeg_scan_info> one_scan_per_coefficient() {
  std::vector<jpeg_scan_info> scans;
  for (const int low_bit : {1, 0}) {
    for (int coefficient = 0; coefficient < DCTSIZE2; ++coefficient) {
      jpeg_scan_info scan{};
      scan.comps_in_scan = 1;
      scan.Ss = scan.Se = coefficient;
      scan.Ah = low_bit == 1 ? 0 : 1;
      scan.Al = low_bit;
      scans.push_back(scan);
    }
  }
  return scans;
}

}  // namespace

RgbPicture to_rgb(const Image& image) {
  RgbPicture picture{image.width(), image.height(), {}};
  for (const std::uint8_t level : image.pixels8()) {
    picture.pixels.insert(picture.pixels.end(), {level, level, level});
  }
  return picture;
}

RgbPicture one_colour(int width, int height, std::array<std::uint8_t, 3> colour) {
  RgbPicture picture{width, height, {}};
  for (int i = 0; i < width * height; ++i) {
    picture.pixels.insert(picture.pixels.end(), colour.begin(), colour.end());
  }
  return picture;
}

Bytes make_jpeg(const RgbPicture& picture, const JpegOptions& options) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  errors.error_exit = [](j_common_ptr refused) {
    char message[JMSG_LENGTH_MAX];
    refused->err->format_message(refused, message);
    throw std::runtime_error(std::string("libjpeg: ") + message);
  };
  jpeg_CreateCompress(&info, JPEG_LIB_VERSION, sizeof(info));
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(picture.width);
  info.image_height = static_cast<JDIMENSION>(picture.height);
  set_colours(info, options.colours);
  jpeg_set_quality(&info, options.quality, TRUE);
  if (!options.adobe_marker) info.write_Adobe_marker = FALSE;
  if (options.progressive) jpeg_simple_progression(&info);
  const std::vector<jpeg_scan_info> scans = one_scan_per_coefficient();
  if (options.one_scan_per_coefficient) {
    info.scan_info = scans.data();
    info.num_scans = static_cast<int>(scans.size());
  }
  info.arith_code = options.arithmetic ? TRUE : FALSE;
  info.restart_in_rows = options.restart_rows;

  jpeg_start_compress(&info, TRUE);
  if (!options.app1.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(options.app1.data()),
                      static_cast<unsigned>(options.app1.size()));
  }
  const std::size_t row_bytes = static_cast<std::size_t>(picture.width) * 3;
  for (int y = 0; y < picture.height; ++y) {
    std::vector<JSAMPLE> samples = to_samples(
        std::span(picture.pixels).subspan(static_cast<std::size_t>(y) * row_bytes, row_bytes), options);
    JSAMPROW row = samples.data();
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  return take(buffer, size);
}

std::vector<std::byte> make_exif(int orientation, bool big_endian) {
  std::vector<std::byte> bytes;
  const auto add_text = [&bytes](std::string_view text) {
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  };
  const auto add_number = [&bytes, big_endian](unsigned value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
      bytes.push_back(static_cast<std::byte>(value >> 8 * (big_endian ? size - 1 - i : i)));
    }
  };
  add_text({"Exif\0\0", 6});
  add_text(big_endian ? "MM" : "II");
  add_number(42, 2);
  add_number(8, 4);  // where the directory begins
  add_number(2, 2);  // entries
  const auto add_entry = [&add_number](unsigned tag, unsigned value) {
    constexpr unsigned kShort = 3;
    add_number(tag, 2);
    add_number(kShort, 2);
    add_number(1, 4);
    add_number(value, 2);
    add_number(0, 2);
  };
  add_entry(0x0103, 6);
  add_entry(0x0112, static_cast<unsigned>(orientation));
  add_number(0, 4);  // no further directory
  return bytes;
}

Bytes make_png(const std::vector<std::uint16_t>& samples, const PngOptions& options) {
  const std::unique_ptr<spng_ctx, decltype([](spng_ctx* context) { spng_ctx_free(context); })> context(
      spng_ctx_new(SPNG_CTX_ENCODER));
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(options.width);
  header.height = static_cast<std::uint32_t>(options.height);
  header.bit_depth = static_cast<std::uint8_t>(options.bit_depth);
  header.color_type = color_type(options.colours);
  header.interlace_method = options.interlaced ? SPNG_INTERLACE_ADAM7 : SPNG_INTERLACE_NONE;
  require_png(spng_set_ihdr(context.get(), &header));

  if (options.colours == PngColours::kPalette) {
    spng_plte palette{};
    spng_trns opacity{};
    for (const PaletteEntry& entry : options.palette) {
      palette.entries[palette.n_entries++] = {entry[0], entry[1], entry[2], 255};
      opacity.type3_alpha[opacity.n_type3_entries++] = entry[3];
    }
    require_png(spng_set_plte(context.get(), &palette));
    if (std::any_of(options.palette.begin(), options.palette.end(),
                    [](const PaletteEntry& entry) { return entry[3] != 255; })) {
      require_png(spng_set_trns(context.get(), &opacity));
    }
  }
  const Bytes packed = pack(
      samples, static_cast<std::size_t>(options.width) * static_cast<std::size_t>(channels(options.colours)),
      options.bit_depth);
  require_png(
      spng_encode_image(context.get(), packed.data(), packed.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  std::size_t size = 0;
  int code = SPNG_OK;
  void* const png = spng_get_png_buffer(context.get(), &size, &code);
  require_png(code);
  return take(png, size);
}

}  // namespace xray::test
