#include "dataset/picture_facts.h"

#include <algorithm>
#include <cmath>

#include "common/file.h"

namespace xray {
namespace {

struct Spread {
  double mean = 0;
  double deviation = 0;
};

Spread spread_of(std::span<const float> values) {
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto n = static_cast<double>(values.size());
  const double mean = sum / n;
  return {mean, std::sqrt(std::max(0.0, squares / n - mean * mean))};
}

/// Columns and rows of a square plane, as the measures below look at them.
class Square {
 public:
  explicit Square(const Plane& plane) : plane_(plane) {}

  double at(int x, int y) const {
    return static_cast<double>(
        plane_.values[static_cast<std::size_t>(y) * kFactsSide + static_cast<std::size_t>(x)]);
  }

  double border_darkness() const {
    constexpr int kFrame = kFactsSide / 25;
    constexpr double kDark = 16;
    int dark = 0;
    int all = 0;
    for (int y = 0; y < kFactsSide; ++y)
      for (int x = 0; x < kFactsSide; ++x) {
        if (std::min({x, y, kFactsSide - 1 - x, kFactsSide - 1 - y}) >= kFrame) continue;
        ++all;
        dark += at(x, y) < kDark ? 1 : 0;
      }
    return static_cast<double>(dark) / all;
  }

  double corner_brightness() const {
    constexpr int kCorner = kFactsSide / 8;
    double sum = 0;
    for (int y = 0; y < kCorner; ++y)
      for (int x = 0; x < kCorner; ++x)
        sum += at(x, y) + at(kFactsSide - 1 - x, y) + at(x, kFactsSide - 1 - y) +
               at(kFactsSide - 1 - x, kFactsSide - 1 - y);
    return sum / (4.0 * kCorner * kCorner);
  }

  /// Standard deviation of the four-neighbour Laplacian.
  double edges() const {
    double sum = 0;
    double squares = 0;
    for (int y = 1; y + 1 < kFactsSide; ++y)
      for (int x = 1; x + 1 < kFactsSide; ++x) {
        const double v = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * at(x, y);
        sum += v;
        squares += v * v;
      }
    constexpr double kPixels = (kFactsSide - 2.0) * (kFactsSide - 2.0);
    return std::sqrt(std::max(0.0, squares / kPixels - (sum / kPixels) * (sum / kPixels)));
  }

 private:
  const Plane& plane_;
};

unsigned byte_at(std::span<const std::byte> bytes, std::size_t at) {
  return at < bytes.size() ? std::to_integer<unsigned>(bytes[at]) : 0U;
}

/// PNG, 11.2.2: the colour type is byte 9 of the first chunk's data.
int channels_of_png(std::span<const std::byte> bytes) {
  switch (byte_at(bytes, 25)) {
    case 0:
      return bytes.size() > 25 ? 1 : 0;
    case 2:
    case 3:
      return 3;
    case 4:
      return 2;
    case 6:
      return 4;
    default:
      return 0;
  }
}

/// ITU-T T.81, B.1.1: markers and their lengths up to the frame header.
int channels_of_jpeg(std::span<const std::byte> bytes) {
  for (std::size_t at = 2; at + 9 < bytes.size();) {
    const unsigned marker = byte_at(bytes, at + 1);
    if (byte_at(bytes, at) != 0xFF) return 0;
    if (marker == 0xFF) {  // a fill byte
      ++at;
      continue;
    }
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return static_cast<int>(byte_at(bytes, at + 9));
    const unsigned length = byte_at(bytes, at + 2) * 256 + byte_at(bytes, at + 3);
    if (length < 2) return 0;
    at += 2 + length;
  }
  return 0;
}

}  // namespace

std::string_view name(Feature feature) {
  switch (feature) {
    case Feature::kWidth:
      return "width";
    case Feature::kHeight:
      return "height";
    case Feature::kAspectRatio:
      return "aspect_ratio";
    case Feature::kFileSize:
      return "file_size";
    case Feature::kBrightness:
      return "brightness";
    case Feature::kContrast:
      return "contrast";
    case Feature::kBorderDarkness:
      return "border_darkness";
    case Feature::kCornerBrightness:
      return "corner_brightness";
    case Feature::kSharpness:
      return "sharpness";
  }
  return "";
}

int channels_of(std::span<const std::byte> bytes) {
  switch (sniff_format(bytes)) {
    case ImageFormat::kJpeg:
      return channels_of_jpeg(bytes);
    case ImageFormat::kPng:
      return channels_of_png(bytes);
    case ImageFormat::kUnknown:
      break;
  }
  return 0;
}

Result<MeasuredPicture> measure_picture(const std::filesystem::path& path, const DecodeLimits& limits) {
  const auto bytes = read_file(path, limits.max_bytes);
  if (!bytes) return bytes.error();
  const auto image = decode_image(*bytes, limits, {2 * kFactsSide, 2 * kFactsSide});
  if (!image) return image.error();

  MeasuredPicture measured;
  PictureView& view = measured.view;
  view.plane = resize(*image, kFactsSide, kFactsSide);
  for (const float value : view.plane.values) {
    const int bin = std::clamp(static_cast<int>(value) / (256 / static_cast<int>(kIntensityBins)), 0,
                               static_cast<int>(kIntensityBins) - 1);
    ++view.intensities[static_cast<std::size_t>(bin)];
  }

  PictureFacts& facts = measured.facts;
  facts.format = sniff_format(*bytes);
  facts.channels = channels_of(*bytes);
  facts.bits = image->bits();
  facts.sha256 = sha256_hex(*bytes);
  facts.hash = perceptual_hash(*image);
  const Square square(view.plane);
  const Spread gray = spread_of(view.plane.values);
  const double width = image->source_width();
  const double height = image->source_height();
  // In the order of Feature. A flat picture has no edges either.
  facts.features = {width,
                    height,
                    width / height,
                    static_cast<double>(bytes->size()),
                    gray.mean,
                    gray.deviation,
                    square.border_darkness(),
                    square.corner_brightness(),
                    gray.deviation > 0 ? square.edges() / gray.deviation : 0};
  return measured;
}

}  // namespace xray
