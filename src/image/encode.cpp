#include "image/encode.h"

#include <spng.h>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

// After <cstddef> and <cstdio>, on which it relies.
#include <jpeglib.h>

// After jpeglib.h.
#include <jerror.h>

namespace xray {
namespace {

struct FreeDeleter {
  void operator()(void* memory) const { std::free(memory); }
};

Bytes copy(const void* data, std::size_t size) {
  const auto* begin = static_cast<const std::byte*>(data);
  return {begin, begin + size};
}

Result<Bytes> encode_spng(spng_ihdr header, std::span<const std::byte> pixels, int level) {
  const std::unique_ptr<spng_ctx, decltype([](spng_ctx* context) { spng_ctx_free(context); })> context(
      spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) throw std::bad_alloc();
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_option(context.get(), SPNG_IMG_COMPRESSION_LEVEL, level);
  int code = spng_set_ihdr(context.get(), &header);
  if (code == SPNG_OK) {
    code = spng_encode_image(context.get(), pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  }
  std::size_t size = 0;
  std::unique_ptr<void, FreeDeleter> png;
  if (code == SPNG_OK) png.reset(spng_get_png_buffer(context.get(), &size, &code));
  if (code == SPNG_EMEM) throw std::bad_alloc();
  if (code != SPNG_OK) {
    return Error{ErrorCode::kInvalidArgument,
                 std::string("the PNG cannot be written: ") + spng_strerror(code)};
  }
  return copy(png.get(), size);
}

Result<Done> check_level(int level) {
  if (level >= 0 && level <= 9) return Done{};
  return Error{ErrorCode::kInvalidArgument, "the compression level of a PNG goes from 0 to 9"};
}

/// libjpeg writing one picture; its errors leave libjpeg by longjmp.
class JpegWriter {
 public:
  JpegWriter() {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) {
      std::longjmp(static_cast<JpegWriter*>(info->client_data)->jump_, 1);
    };
    info_.client_data = this;
  }
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(buffer_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  Result<Bytes> write(int width, int height, std::span<const std::uint8_t> pixels, int quality) {
    if (!try_write(width, height, pixels.data(), quality)) {
      if (errors_.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
      char message[JMSG_LENGTH_MAX];
      errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message);
      return Error{ErrorCode::kInvalidArgument, std::string("the JPEG cannot be written: ") + message};
    }
    return copy(buffer_, size_);
  }

 private:
  bool try_write(int width, int height, const std::uint8_t* pixels, int quality) {
    if (setjmp(jump_) != 0) return false;
    jpeg_CreateCompress(&info_, JPEG_LIB_VERSION, sizeof(info_));
    jpeg_mem_dest(&info_, &buffer_, &size_);
    info_.image_width = static_cast<JDIMENSION>(width);
    info_.image_height = static_cast<JDIMENSION>(height);
    info_.input_components = 1;
    info_.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      // libjpeg's interface has no const; it does not write into the row.
      auto* row = const_cast<JSAMPLE*>(pixels + std::size_t{info_.next_scanline} * info_.image_width);
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  jpeg_compress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf jump_{};
  unsigned char* buffer_ = nullptr;
  unsigned long size_ = 0;
};

}  // namespace

Result<Bytes> encode_png(const Image& image, int level) {
  if (Result<Done> valid = check_level(level); !valid) return valid.error();
  const spng_ihdr header = {.width = static_cast<std::uint32_t>(image.width()),
                            .height = static_cast<std::uint32_t>(image.height()),
                            .bit_depth = static_cast<std::uint8_t>(image.bits()),
                            .color_type = SPNG_COLOR_TYPE_GRAYSCALE,
                            .compression_method = 0,
                            .filter_method = 0,
                            .interlace_method = SPNG_INTERLACE_NONE};
  return encode_spng(
      header, image.bits() == 8 ? std::as_bytes(image.pixels8()) : std::as_bytes(image.pixels16()), level);
}

Result<Bytes> encode_png_rgba(int width, int height, std::span<const std::uint8_t> rgba, int level) {
  if (Result<Done> valid = check_level(level); !valid) return valid.error();
  if (width < 1 || height < 1 ||
      rgba.size() != std::size_t{4} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {
    return Error{ErrorCode::kInvalidArgument, "the number of RGBA bytes is not 4 times width times height"};
  }
  const spng_ihdr header = {.width = static_cast<std::uint32_t>(width),
                            .height = static_cast<std::uint32_t>(height),
                            .bit_depth = 8,
                            .color_type = SPNG_COLOR_TYPE_TRUECOLOR_ALPHA,
                            .compression_method = 0,
                            .filter_method = 0,
                            .interlace_method = SPNG_INTERLACE_NONE};
  return encode_spng(header, std::as_bytes(rgba), level);
}

Result<Bytes> encode_jpeg(const Image& image, int quality) {
  if (quality < 1 || quality > 100) {
    return Error{ErrorCode::kInvalidArgument, "the quality of a JPEG goes from 1 to 100"};
  }
  if (image.bits() == 8) return JpegWriter().write(image.width(), image.height(), image.pixels8(), quality);
  Image::Pixels8 pixels(image.pixels16().size());
  // 65535 / 255 = 257, so this is the nearest of the 256 levels.
  std::transform(image.pixels16().begin(), image.pixels16().end(), pixels.begin(),
                 [](std::uint16_t level) { return static_cast<std::uint8_t>((level + 128) / 257); });
  return JpegWriter().write(image.width(), image.height(), pixels, quality);
}

}  // namespace xray
