#include <spng.h>

#include <array>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "image/codecs.h"

namespace xray {
namespace {

// Texts and colour profiles are read over, not used; this only bounds the memory they may take.
constexpr std::size_t kMaxChunkBytes = std::size_t{16} << 20U;
// Deflate's own limit (RFC 1951: 258 bytes from two bits at best).
constexpr std::uint64_t kMaxDeflateRatio = 1032;

using Context = std::unique_ptr<spng_ctx, decltype([](spng_ctx* context) { spng_ctx_free(context); })>;

/// Where the pixels of one Adam7 pass lie; one pass with steps of 1 without interlacing.
struct Pass {
  std::uint32_t first_column;
  std::uint32_t column_step;
};
constexpr std::array<Pass, 7> kAdam7 = {{{0, 8}, {4, 8}, {0, 4}, {2, 4}, {0, 2}, {1, 2}, {0, 1}}};
constexpr Pass kWholeRow = {0, 1};

Error describe(int code) {
  switch (code) {
    case SPNG_EMEM:
      throw std::bad_alloc();
    case SPNG_IO_EOF:
    case SPNG_EIDAT_TOO_SHORT:
      return incomplete();
    case SPNG_ECHUNK_LIMITS:
      return {ErrorCode::kTooLarge, "the PNG carries more text or colour profiles than are read here"};
    default:
      return {ErrorCode::kDamaged, "the PNG picture is damaged"};
  }
}

int channels(std::uint8_t color_type) {
  switch (color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR:
      return 3;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      return 4;
    default:
      return 1;
  }
}

/// libspng does not miss the checksum of the last chunk, which is always the same.
bool has_end(std::span<const std::byte> bytes) {
  using namespace std::string_view_literals;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.rfind("IEND\xAE\x42\x60\x82"sv) != std::string_view::npos;
}

/// Every row of every pass as RGBA samples of type T -> luma, alpha laid on black.
template <typename T>
Result<Image> read_pixels(spng_ctx* context, const spng_ihdr& header) {
  constexpr std::uint32_t kOpaque = std::numeric_limits<T>::max();
  const int format = sizeof(T) == 1 ? SPNG_FMT_RGBA8 : SPNG_FMT_RGBA16;
  int code = spng_decode_image(context, nullptr, 0, format, SPNG_DECODE_PROGRESSIVE | SPNG_DECODE_TRNS);
  if (code != SPNG_OK) return describe(code);

  std::vector<T> pixels(std::size_t{header.width} * header.height);
  std::vector<T> rgba(std::size_t{header.width} * 4);
  while (code != SPNG_EOI) {
    spng_row_info row{};
    code = spng_get_row_info(context, &row);
    if (code != SPNG_OK) return describe(code);
    code = spng_decode_scanline(context, rgba.data(), rgba.size() * sizeof(T));
    if (code != SPNG_OK && code != SPNG_EOI) return describe(code);

    const Pass pass = header.interlace_method == SPNG_INTERLACE_NONE ? kWholeRow : kAdam7[row.pass];
    T* const out = pixels.data() + std::size_t{row.row_num} * header.width;
    const T* in = rgba.data();
    for (std::uint32_t x = pass.first_column; x < header.width; x += pass.column_step, in += 4) {
      const std::uint32_t level = luma(in[0], in[1], in[2]);
      out[x] = static_cast<T>(in[3] == kOpaque ? level : (level * in[3] + kOpaque / 2) / kOpaque);
    }
  }
  code = spng_decode_chunks(context);
  if (code != SPNG_OK) return describe(code);
  return Image(static_cast<int>(header.width), static_cast<int>(header.height), std::move(pixels));
}

}  // namespace

Result<Image> decode_png(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_ERROR);
  spng_set_chunk_limits(context.get(), kMaxChunkBytes, kMaxChunkBytes);
  spng_set_png_buffer(context.get(), bytes.data(), bytes.size());

  spng_ihdr header{};
  if (const int code = spng_get_ihdr(context.get(), &header); code != SPNG_OK) return describe(code);
  if (Result<Done> fits = check_pixels(header.width, header.height, limits); !fits) return fits.error();
  const std::uint64_t bits =
      std::uint64_t{header.width} * header.height * header.bit_depth * channels(header.color_type);
  if (bits / 8 > bytes.size() * kMaxDeflateRatio || !has_end(bytes)) return incomplete();

  return header.bit_depth == 16 ? read_pixels<std::uint16_t>(context.get(), header)
                                : read_pixels<std::uint8_t>(context.get(), header);
}

}  // namespace xray
