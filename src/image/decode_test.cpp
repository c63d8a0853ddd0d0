#include "image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/random.h"
#include "image/encode.h"
#include "support/phantom.h"
#include "support/pictures.h"

namespace xray {
namespace {

using test::JpegColours;
using test::JpegOptions;
using test::PngColours;
using test::PngOptions;
using testing::HasSubstr;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Mean absolute difference of two 8-bit pictures of one size.
double difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width(), b.width());
  EXPECT_EQ(a.height(), b.height());
  if (a.pixels8().size() != b.pixels8().size()) return 255;
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels8().size(); ++i) sum += std::abs(a.pixels8()[i] - b.pixels8()[i]);
  return sum / static_cast<double>(a.pixels8().size());
}

/// Every way in which the phantom can be a JPEG.
std::vector<JpegOptions> every_jpeg() {
  std::vector<JpegOptions> all;
  for (const JpegColours colours :
       {JpegColours::kGray, JpegColours::kYcc, JpegColours::kRgb, JpegColours::kCmyk, JpegColours::kYcck}) {
    for (const bool progressive : {false, true}) {
      for (const int restart_rows : {0, 1}) {
        all.push_back({.colours = colours, .progressive = progressive, .restart_rows = restart_rows});
      }
    }
  }
  all.push_back({.colours = JpegColours::kCmyk, .adobe_marker = false});
  all.push_back({.app1 = test::make_exif(1)});
  return all;
}

Image small_phantom() {
  return test::make_phantom({.width = 67, .height = 45});
}

/// The marker segment's bytes as a position; the first one in the file.
std::size_t find_marker(const Bytes& jpeg, unsigned marker) {
  const std::array wanted = {std::byte{0xFF}, static_cast<std::byte>(marker)};
  return static_cast<std::size_t>(std::ranges::search(jpeg, wanted).begin() - jpeg.begin());
}

/// The frame header says another size than the one that was written.
void set_jpeg_size(Bytes& jpeg, unsigned frame_marker, unsigned width, unsigned height) {
  const std::size_t frame = find_marker(jpeg, frame_marker);
  jpeg[frame + 5] = static_cast<std::byte>(height >> 8U);
  jpeg[frame + 6] = static_cast<std::byte>(height);
  jpeg[frame + 7] = static_cast<std::byte>(width >> 8U);
  jpeg[frame + 8] = static_cast<std::byte>(width);
}

TEST(SniffFormat, GoesByContent) {
  EXPECT_EQ(sniff_format(encode_jpeg(small_phantom()).value()), ImageFormat::kJpeg);
  EXPECT_EQ(sniff_format(encode_png(small_phantom()).value()), ImageFormat::kPng);
  EXPECT_EQ(sniff_format(bytes_of("hello.jpeg")), ImageFormat::kUnknown);
  EXPECT_EQ(sniff_format({}), ImageFormat::kUnknown);
}

TEST(MediaType, NamesWhatIsRead) {
  EXPECT_EQ(media_type(ImageFormat::kJpeg), "image/jpeg");
  EXPECT_EQ(media_type(ImageFormat::kPng), "image/png");
  EXPECT_EQ(media_type(ImageFormat::kUnknown), "application/octet-stream");
}

TEST(DecodeImage, NamesFormatsThatItDoesNotRead) {
  using namespace std::string_view_literals;
  const std::vector<std::pair<std::string, std::string>> formats = {
      {std::string(128, '\0') + "DICM" + std::string(40, '\2'), "DICOM"},
      {"GIF89a~~~~~~~~", "GIF"},
      {"BM~~~~~~~~~~~~", "BMP"},
      {std::string("II*\0~~~~~~~~"sv), "TIFF"},
      {std::string("MM\0*~~~~~~~~"sv), "TIFF"},
      {"RIFF~~~~WEBPVP8 ", "WebP"},
      {"%PDF-1.7~~~~~~~~", "PDF"},
      {std::string("\0\0\0\x18"
                   "ftypheic~~~~"sv),
       "HEIC"},
  };
  for (const auto& [content, format] : formats) {
    const Error error = decode_image(bytes_of(content)).error();
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << format;
    EXPECT_THAT(error.message, HasSubstr(format));
    EXPECT_THAT(error.message, HasSubstr("JPEG and PNG"));
  }
}

TEST(DecodeImage, CallsEverythingElseNotAPicture) {
  for (const std::string_view content : {"", "x", "\xFF", "\xFF\xD8", "\x89PNG", "PNG", "<svg></svg>"}) {
    EXPECT_EQ(decode_image(bytes_of(content)).error().code, ErrorCode::kNotAPicture) << content;
  }
}

TEST(DecodeImage, RefusesTooManyBytes) {
  const Bytes png = encode_png(small_phantom()).value();
  EXPECT_EQ(decode_image(png, {.max_bytes = png.size() - 1}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(decode_image(png, {.max_bytes = png.size()}).ok());
}

TEST(DecodeImage, RefusesTooManyPixels) {
  const Image image = small_phantom();
  const std::uint64_t pixels = image.pixels8().size();
  for (const Bytes& bytes : {encode_png(image).value(), encode_jpeg(image).value()}) {
    EXPECT_EQ(decode_image(bytes, {.max_pixels = pixels - 1}).error().code, ErrorCode::kTooLarge);
    EXPECT_TRUE(decode_image(bytes, {.max_pixels = pixels}).ok());
  }
}

TEST(DecodeJpeg, ReadsEveryVariant) {
  const Image phantom = small_phantom();
  for (const JpegOptions& options : every_jpeg()) {
    const Result<Image> image = decode_image(test::make_jpeg(test::to_rgb(phantom), options));
    ASSERT_TRUE(image.ok()) << static_cast<int>(options.colours) << image.error().message;
    EXPECT_LT(difference(*image, phantom), 1.5) << static_cast<int>(options.colours);
    EXPECT_EQ(image->bits(), 8);
    EXPECT_EQ(image->source_width(), 67);
    EXPECT_EQ(image->source_height(), 45);
  }
}

TEST(DecodeJpeg, TurnsColourIntoLuma) {
  struct Patch {
    std::array<std::uint8_t, 3> colour;
    int luma;
  };
  for (const Patch& patch : {Patch{{255, 0, 0}, 76}, Patch{{0, 255, 0}, 150}, Patch{{0, 0, 255}, 29},
                             Patch{{200, 100, 50}, 124}}) {
    for (const JpegColours colours :
         {JpegColours::kYcc, JpegColours::kRgb, JpegColours::kCmyk, JpegColours::kYcck}) {
      const Bytes jpeg = test::make_jpeg(test::one_colour(16, 16, patch.colour), {.colours = colours});
      const Image image = decode_image(jpeg).value();
      EXPECT_NEAR(image.pixels8()[100], patch.luma, 2) << static_cast<int>(colours);
    }
  }
}

TEST(DecodeJpeg, StandsUprightAsExifAsks) {
  const Image phantom = small_phantom();
  const Image stored = decode_image(test::make_jpeg(test::to_rgb(phantom))).value();
  const auto at = [&stored](int x, int y) {
    return stored.pixels8()[static_cast<std::size_t>(y) * 67 + static_cast<std::size_t>(x)];
  };
  // The stored pixel that is shown top left, and that top right (EXIF 2.32, 4.6.4).
  const std::array<std::array<int, 4>, 8> corners = {{{0, 0, 66, 0},
                                                      {66, 0, 0, 0},
                                                      {66, 44, 0, 44},
                                                      {0, 44, 66, 44},
                                                      {0, 0, 0, 44},
                                                      {0, 44, 0, 0},
                                                      {66, 44, 66, 0},
                                                      {66, 0, 66, 44}}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image image =
        decode_image(test::make_jpeg(test::to_rgb(phantom), {.app1 = test::make_exif(orientation)})).value();
    const bool swapped = orientation > 4;
    EXPECT_EQ(image.width(), swapped ? 45 : 67);
    EXPECT_EQ(image.height(), swapped ? 67 : 45);
    EXPECT_EQ(image.source_width(), image.width());
    EXPECT_EQ(image.source_height(), image.height());
    const auto& corner = corners[static_cast<std::size_t>(orientation - 1)];
    EXPECT_EQ(image.pixels8()[0], at(corner[0], corner[1])) << orientation;
    EXPECT_EQ(image.pixels8()[static_cast<std::size_t>(image.width() - 1)], at(corner[2], corner[3]))
        << orientation;
  }
}

TEST(DecodeJpeg, DecodesNoMoreThanIsNeeded) {
  const Bytes jpeg = test::make_jpeg(test::to_rgb(test::make_phantom({.width = 803, .height = 601})));
  struct Case {
    DecodeSize size;
    int width;
    int height;
  };
  for (const Case& expected :
       {Case{{}, 803, 601}, Case{{1, 1}, 101, 76}, Case{{101, 76}, 101, 76}, Case{{102, 76}, 201, 151},
        Case{{224, 224}, 402, 301}, Case{{100, 400}, 803, 601}, Case{{700, 100}, 803, 601},
        Case{{804, 10}, 803, 601}, Case{{2000, 2000}, 803, 601}}) {
    const Image image = decode_image(jpeg, {}, expected.size).value();
    EXPECT_EQ(image.width(), expected.width) << expected.size.min_width;
    EXPECT_EQ(image.height(), expected.height) << expected.size.min_height;
    EXPECT_EQ(image.source_width(), 803);
    EXPECT_EQ(image.source_height(), 601);
    EXPECT_GT(image.source_width() * image.scale(), image.width() - 1);
    EXPECT_LE(image.source_width() * image.scale(), image.width());
  }
}

TEST(DecodeJpeg, MeasuresTheNeededSizeUpright) {
  const test::RgbPicture picture = test::to_rgb(test::make_phantom({.width = 800, .height = 400}));
  const Bytes jpeg = test::make_jpeg(picture, {.app1 = test::make_exif(6)});
  const Image image = decode_image(jpeg, {}, {.min_width = 100, .min_height = 300}).value();
  EXPECT_EQ(image.width(), 200);
  EXPECT_EQ(image.height(), 400);
  EXPECT_EQ(image.source_width(), 400);
  EXPECT_EQ(image.source_height(), 800);
}

TEST(DecodeJpeg, RejectsEveryTruncation) {
  const Image phantom = test::make_phantom({.width = 35, .height = 27});
  for (const JpegOptions& options : every_jpeg()) {
    const Bytes jpeg = test::make_jpeg(test::to_rgb(phantom), options);
    ASSERT_TRUE(decode_image(jpeg).ok());
    for (std::size_t size = 3; size < jpeg.size(); ++size) {
      const Result<Image> image = decode_image(std::span(jpeg).first(size));
      ASSERT_FALSE(image.ok()) << size << " of " << jpeg.size() << " bytes";
      ASSERT_EQ(image.error().code, ErrorCode::kDamaged) << size << " of " << jpeg.size() << " bytes";
    }
  }
}

TEST(DecodeJpeg, IgnoresWhatFollowsItsEnd) {
  Bytes jpeg = test::make_jpeg(test::to_rgb(small_phantom()));
  jpeg.resize(jpeg.size() + 1000, std::byte{0});
  EXPECT_TRUE(decode_image(jpeg).ok());
}

TEST(DecodeJpeg, ChecksTheSizeBeforeDecoding) {
  for (const bool progressive : {false, true}) {
    Bytes jpeg = test::make_jpeg(test::to_rgb(small_phantom()), {.progressive = progressive});
    const unsigned frame_marker = progressive ? 0xC2 : 0xC0;
    set_jpeg_size(jpeg, frame_marker, 60000, 60000);
    EXPECT_EQ(decode_image(jpeg).error().code, ErrorCode::kTooLarge);
    set_jpeg_size(jpeg, frame_marker, 65535, 65535);
    EXPECT_EQ(decode_image(jpeg).error().code, ErrorCode::kTooLarge);
    set_jpeg_size(jpeg, frame_marker, 10000, 10000);
    EXPECT_EQ(decode_image(jpeg).error().code, ErrorCode::kDamaged);
    set_jpeg_size(jpeg, frame_marker, 0, 10000);
    EXPECT_EQ(decode_image(jpeg).error().code, ErrorCode::kDamaged);
  }
}

TEST(DecodeJpeg, RejectsAFileThatIsAllScans) {
  const Bytes jpeg =
      test::make_jpeg(test::to_rgb(small_phantom()), {.progressive = true, .one_scan_per_coefficient = true});
  EXPECT_EQ(decode_image(jpeg).error().code, ErrorCode::kUnsupported);
}

TEST(DecodeJpeg, SaysWhichVariantsItDoesNotRead) {
  const Bytes jpeg = test::make_jpeg(test::to_rgb(small_phantom()));
  const std::size_t frame = find_marker(jpeg, 0xC0);
  Bytes twelve_bits = jpeg;
  twelve_bits[frame + 4] = std::byte{12};
  Bytes lossless = jpeg;
  lossless[frame + 1] = std::byte{0xC3};
  const Bytes two_components =
      test::make_jpeg(test::to_rgb(small_phantom()), {.colours = JpegColours::kTwoComponents});
  const std::vector<std::pair<Bytes, std::string>> variants = {
      {test::make_jpeg(test::to_rgb(small_phantom()), {.arithmetic = true}), "arithmetic"},
      {twelve_bits, "12 bits"},
      {lossless, "lossless"},
      {two_components, "colours"}};
  for (const auto& [bytes, reason] : variants) {
    const Error error = decode_image(bytes).error();
    EXPECT_EQ(error.code, ErrorCode::kUnsupported) << reason;
    EXPECT_THAT(error.message, HasSubstr(reason));
  }
}

/// The 16-bit level, or the 8-bit one, as the decoder should give it.
struct Expected {
  std::vector<std::uint16_t> samples;
  std::vector<unsigned> levels;
};

/// Random samples of one PNG variant, and the luma that they are.
Expected make_samples(const PngOptions& options) {
  Random random(7);
  const unsigned top = (1U << static_cast<unsigned>(options.bit_depth)) - 1;
  const unsigned out_top = options.bit_depth == 16 ? 65535 : 255;
  const auto pick = [&] {
    return static_cast<unsigned>(
        random.below(options.colours == PngColours::kPalette ? options.palette.size() : top + 1));
  };
  const auto luma_of = [](double r, double g, double b) { return 0.299 * r + 0.587 * g + 0.114 * b; };
  Expected expected;
  for (int i = 0; i < options.width * options.height; ++i) {
    const auto add = [&expected](auto... samples) {
      (expected.samples.push_back(static_cast<std::uint16_t>(samples)), ...);
    };
    const unsigned a = pick();
    const unsigned b = pick();
    const unsigned c = pick();
    const unsigned d = pick();
    double level = 0;
    switch (options.colours) {
      case PngColours::kGray:
        add(a);
        level = static_cast<double>(a) / top;
        break;
      case PngColours::kGrayAlpha:
        add(a, b);
        level = static_cast<double>(a) / top * b / top;
        break;
      case PngColours::kRgb:
        add(a, b, c);
        level = luma_of(a, b, c) / top;
        break;
      case PngColours::kRgba:
        add(a, b, c, d);
        level = luma_of(a, b, c) / top * d / top;
        break;
      case PngColours::kPalette: {
        add(a);
        const test::PaletteEntry& entry = options.palette[a];
        level = luma_of(entry[0], entry[1], entry[2]) / 255 * entry[3] / 255;
        break;
      }
    }
    expected.levels.push_back(static_cast<unsigned>(std::lround(level * out_top)));
  }
  return expected;
}

/// Every way in which a picture can be a PNG.
std::vector<PngOptions> every_png(int width, int height) {
  const std::vector<test::PaletteEntry> opaque = {{10, 20, 30, 255}, {255, 0, 0, 255}};
  const std::vector<test::PaletteEntry> seen_through = {
      {10, 20, 30, 255}, {255, 0, 0, 100}, {0, 250, 3, 0}, {90, 91, 92, 200}};
  std::vector<PngOptions> all;
  for (const bool interlaced : {false, true}) {
    const auto add = [&](PngColours colours, const std::vector<int>& depths,
                         const std::vector<test::PaletteEntry>& palette = {}) {
      for (const int depth : depths) all.push_back({width, height, colours, depth, interlaced, palette});
    };
    add(PngColours::kGray, {1, 2, 4, 8, 16});
    add(PngColours::kGrayAlpha, {8, 16});
    add(PngColours::kRgb, {8, 16});
    add(PngColours::kRgba, {8, 16});
    add(PngColours::kPalette, {1, 2, 4, 8}, opaque);
    add(PngColours::kPalette, {2, 4, 8}, seen_through);
  }
  return all;
}

TEST(DecodePng, ReadsEveryVariant) {
  for (const auto& [width, height] : {std::pair{37, 21}, std::pair{1, 1}, std::pair{3, 9}}) {
    for (const PngOptions& options : every_png(width, height)) {
      const std::string variant = std::to_string(static_cast<int>(options.colours)) + " depth " +
                                  std::to_string(options.bit_depth) + " interlaced " +
                                  std::to_string(options.interlaced);
      const Expected expected = make_samples(options);
      const Result<Image> image = decode_image(test::make_png(expected.samples, options));
      ASSERT_TRUE(image.ok()) << variant << image.error().message;
      ASSERT_EQ(image->width(), width);
      ASSERT_EQ(image->height(), height);
      ASSERT_EQ(image->bits(), options.bit_depth == 16 ? 16 : 8) << variant;
      for (std::size_t i = 0; i < expected.levels.size(); ++i) {
        const unsigned level = image->bits() == 8 ? image->pixels8()[i] : image->pixels16()[i];
        ASSERT_NEAR(level, expected.levels[i], 1) << variant << " pixel " << i;
      }
    }
  }
}

TEST(DecodePng, RejectsEveryTruncation) {
  for (const PngOptions& options : every_png(13, 11)) {
    const Bytes png = test::make_png(make_samples(options).samples, options);
    ASSERT_TRUE(decode_image(png).ok());
    for (std::size_t size = 8; size < png.size(); ++size) {
      const Result<Image> image = decode_image(std::span(png).first(size));
      ASSERT_FALSE(image.ok()) << size << " of " << png.size() << " bytes";
      ASSERT_EQ(image.error().code, ErrorCode::kDamaged) << size << " of " << png.size() << " bytes";
    }
  }
}

TEST(DecodePng, RejectsEveryChangedByte) {
  const Bytes png = encode_png(test::make_phantom({.width = 19, .height = 14})).value();
  for (std::size_t at = 0; at < png.size(); ++at) {
    Bytes changed = png;
    changed[at] ^= std::byte{0x10};
    EXPECT_FALSE(decode_image(changed).ok()) << "byte " << at << " of " << png.size();
  }
}

TEST(DecodePng, ChecksTheSizeBeforeDecoding) {
  using namespace std::string_view_literals;
  const std::string signature("\x89PNG\r\n\x1A\n\0\0\0\x0D"sv);
  const std::string no_pixels("\0\0\0\0IEND\xAE\x42\x60\x82"sv);
  const std::string of_20000("IHDR\0\0\x4E\x20\0\0\x4E\x20\x08\0\0\0\0\xC6\x1B\x19\xE5"sv);
  EXPECT_EQ(decode_image(bytes_of(signature + of_20000 + no_pixels)).error().code, ErrorCode::kTooLarge);
  const std::string of_9000("IHDR\0\0\x23\x28\0\0\x23\x28\x08\0\0\0\0\x48\xBE\x2D\x66"sv);
  EXPECT_EQ(decode_image(bytes_of(signature + of_9000 + no_pixels)).error().code, ErrorCode::kDamaged);
}

/// The chunk, put right after the header of `png`.
Bytes with_chunk(const Bytes& png, std::string_view type_and_data, std::string_view checksum) {
  constexpr std::ptrdiff_t kHeaderEnd = 8 + 25;
  Bytes bytes(png.begin(), png.begin() + kHeaderEnd);
  const std::size_t length = type_and_data.size() - 4;
  for (unsigned i = 0; i < 4; ++i) bytes.push_back(static_cast<std::byte>(length >> (24 - 8 * i)));
  for (const std::string_view part : {type_and_data, checksum}) {
    const Bytes more = bytes_of(part);
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  bytes.insert(bytes.end(), png.begin() + kHeaderEnd, png.end());
  return bytes;
}

TEST(DecodePng, ReadsOverTextThatIsSoundAndRejectsTextThatIsNot) {
  const Bytes png = encode_png(small_phantom()).value();
  using namespace std::string_view_literals;
  EXPECT_TRUE(decode_image(with_chunk(png, "tEXtTitle\0film"sv, "\x29\x5C\x3D\x43"sv)).ok());
  EXPECT_EQ(decode_image(with_chunk(png, "tEXtTitle\0film"sv, "####"sv)).error().code, ErrorCode::kDamaged);
}

}  // namespace
}  // namespace xray
