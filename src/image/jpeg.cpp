#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <new>
#include <string>
#include <utility>
#include <vector>

// After <cstddef> and <cstdio>, on which it relies.
#include <jpeglib.h>

// After jpeglib.h.
#include <jerror.h>

#include "image/codecs.h"
#include "image/exif.h"

namespace xray {
namespace {

// Encoders write about ten scans; a file with thousands costs minutes (a "scan bomb").
constexpr int kMaxScans = 100;
constexpr int kExifMarker = JPEG_APP0 + 1;
// Beside libjpeg's own message codes, which are not negative.
constexpr int kTooManyScans = -1;

/// Warnings after which every pixel is still what the file says.
bool is_harmless(int warning) {
  return warning == JWRN_ADOBE_XFORM || warning == JWRN_JFIF_MAJOR || warning == JWRN_BOGUS_ICC ||
         warning == JWRN_NOT_SEQUENTIAL;
}

Error describe(int code) {
  switch (code) {
    case JERR_BAD_PRECISION:
      return {ErrorCode::kUnsupported, "a JPEG with 12 bits per pixel is not read here; JPEG with 8 bits is"};
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
      return {ErrorCode::kUnsupported,
              "a lossless or arithmetic-coded JPEG is not read here; baseline and progressive JPEG are"};
    case JERR_BAD_J_COLORSPACE:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
      return {ErrorCode::kUnsupported, "a JPEG with such colours is not read here; gray, RGB and CMYK are"};
    case kTooManyScans:
      return {ErrorCode::kUnsupported,
              "a JPEG in more than " + std::to_string(kMaxScans) + " scans is not read here"};
    case JERR_IMAGE_TOO_BIG:
      return {ErrorCode::kTooLarge,
              "the picture is more than " + std::to_string(JPEG_MAX_DIMENSION) + " pixels wide or high"};
    case JERR_INPUT_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_JPEG_EOF:
      return incomplete();
    default:
      return {ErrorCode::kDamaged, "the JPEG picture is damaged"};
  }
}

/// Inks of one row (CMYK; Adobe stores them inverted, 255 for no ink) -> luma.
void inks_to_luma(const JSAMPLE* inks, bool inverted, JSAMPLE* out, JDIMENSION width) {
  for (JDIMENSION x = 0; x < width; ++x, inks += 4) {
    std::uint32_t light[4];
    for (int i = 0; i < 4; ++i) light[i] = inverted ? inks[i] : 255U - inks[i];
    const auto through_black = [&](std::uint32_t colour) { return (colour * light[3] + 127) / 255; };
    out[x] =
        static_cast<JSAMPLE>(luma(through_black(light[0]), through_black(light[1]), through_black(light[2])));
  }
}

/// libjpeg reading one file. Its errors, and warnings that mean damage, leave
/// libjpeg by longjmp and arrive as the `false` of attempt().
class JpegReader {
 public:
  JpegReader() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { fail(info, info->err->msg_code); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0 && !is_harmless(info->err->msg_code)) fail(info, info->err->msg_code);
    };
    progress_.progress_monitor = [](j_common_ptr info) {
      if (self(info).info_.input_scan_number > kMaxScans) fail(info, kTooManyScans);
    };
    info_.client_data = this;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Result<Image> read(std::span<const std::byte> bytes, const DecodeLimits& limits, DecodeSize size) {
    const bool has_header = attempt([this, bytes] {
      jpeg_CreateDecompress(&info_, JPEG_LIB_VERSION, sizeof(info_));
      info_.progress = &progress_;
      jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      jpeg_save_markers(&info_, kExifMarker, 0xFFFF);
      jpeg_read_header(&info_, TRUE);
    });
    if (!has_header) return failure();
    if (info_.jpeg_color_space == JCS_UNKNOWN) return describe(JERR_COMPONENT_COUNT);
    // Some builds of libjpeg read it; hardly any picture has it; a few bytes can hold minutes of work.
    if (info_.arith_code) return describe(JERR_ARITH_NOTIMPL);
    if (Result<Done> fits = check_pixels(info_.image_width, info_.image_height, limits); !fits) {
      return fits.error();
    }
    if (bytes.size() * 8 < coded_blocks()) return incomplete();

    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_GRAYSCALE;
    const Orientation orientation = find_orientation();
    if (swaps_sides(orientation)) std::swap(size.min_width, size.min_height);
    choose_scale(size);

    Image::Pixels8 pixels(std::size_t{info_.output_width} * info_.output_height);
    std::vector<JSAMPLE> ink_row(inks ? std::size_t{info_.output_width} * 4 : 0);
    if (!read_pixels(pixels.data(), inks ? ink_row.data() : nullptr)) return failure();

    Image image = turn_upright(static_cast<int>(info_.output_width), static_cast<int>(info_.output_height),
                               std::move(pixels), orientation);
    int source_width = static_cast<int>(info_.image_width);
    int source_height = static_cast<int>(info_.image_height);
    if (swaps_sides(orientation)) std::swap(source_width, source_height);
    image.set_source(source_width, source_height, static_cast<double>(info_.scale_num) / info_.scale_denom);
    return image;
  }

 private:
  static JpegReader& self(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

  [[noreturn]] static void fail(j_common_ptr info, int code) {
    self(info).code_ = code;
    std::longjmp(self(info).jump_, 1);
  }

  /// Runs `body`, which calls libjpeg and owns nothing; false if libjpeg gave up.
  template <typename Body>
  bool attempt(const Body& body) {
    if (setjmp(jump_) != 0) return false;
    body();
    return true;
  }

  Error failure() const {
    if (code_ == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    return describe(code_);
  }

  /// Huffman coding spends a bit on each at the least, so a file shorter than
  /// that is refused before any memory is taken for its picture.
  std::uint64_t coded_blocks() const {
    std::uint64_t blocks = 0;
    for (int i = 0; i < info_.num_components; ++i) {
      blocks += std::uint64_t{info_.comp_info[i].width_in_blocks} * info_.comp_info[i].height_in_blocks;
    }
    return blocks;
  }

  Orientation find_orientation() const {
    for (const jpeg_marker_struct* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const Orientation orientation =
          exif_orientation(std::as_bytes(std::span(marker->data, marker->data_length)));
      if (orientation != Orientation::kTopLeft) return orientation;
    }
    return Orientation::kTopLeft;
  }

  /// The smallest of the scales 1/8, 1/4, 1/2 and 1 that is not below `size` (as stored). libjpeg has
  /// others, but libjpeg-turbo has vector code for these alone: 7/8 costs more than the whole.
  void choose_scale(DecodeSize size) {
    const bool whole = size.min_width <= 0 && size.min_height <= 0;
    info_.scale_denom = DCTSIZE;
    for (info_.scale_num = whole ? DCTSIZE : 1;; info_.scale_num *= 2) {
      jpeg_calc_output_dimensions(&info_);
      if (info_.scale_num == DCTSIZE || (static_cast<int>(info_.output_width) >= size.min_width &&
                                         static_cast<int>(info_.output_height) >= size.min_height)) {
        return;
      }
    }
  }

  bool read_pixels(JSAMPLE* pixels, JSAMPLE* ink_row) {
    bool finished = false;
    const bool decoded = attempt([this, pixels, ink_row, &finished] {
      jpeg_start_decompress(&info_);
      while (info_.output_scanline < info_.output_height) {
        JSAMPLE* const out = pixels + std::size_t{info_.output_scanline} * info_.output_width;
        JSAMPROW row = ink_row != nullptr ? ink_row : out;
        jpeg_read_scanlines(&info_, &row, 1);
        if (ink_row != nullptr) inks_to_luma(ink_row, info_.saw_Adobe_marker != 0, out, info_.output_width);
      }
      finished = jpeg_finish_decompress(&info_) != 0;
    });
    return decoded && finished;
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  int code_ = 0;
};

}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> bytes, const DecodeLimits& limits, DecodeSize size) {
  return JpegReader().read(bytes, limits, size);
}

}  // namespace xray
