#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "common/result.h"
#include "dataset/duplicates.h"
#include "image/decode.h"
#include "preprocess/preprocess.h"

namespace xray {

/// A number that every picture has and that is no disease, though a network may
/// take it for one. Those of the gray levels (0..255) are measured on the picture
/// squashed to kFactsSide x kFactsSide, as a network gets to see it.
enum class Feature {
  kWidth,             ///< in the file
  kHeight,            ///< in the file
  kAspectRatio,       ///< width / height
  kFileSize,          ///< bytes
  kBrightness,        ///< mean gray level
  kContrast,          ///< standard deviation of the gray levels
  kBorderDarkness,    ///< share of pixels darker than 16 in a frame of 1/25 of the side
  kCornerBrightness,  ///< mean gray level of the four corners, 1/8 of the side each: where markers and text
                      ///< stand
  kSharpness,  ///< standard deviation of the Laplacian over that of the gray levels (after Pech-Pacheco 2000)
};
constexpr std::size_t kFeatureCount = 9;

/// "width", "aspect_ratio", "border_darkness", ...
std::string_view name(Feature feature);

constexpr int kFactsSide = 256;
constexpr std::size_t kIntensityBins = 64;

/// What is kept of every picture of a folder.
struct PictureFacts {
  ImageFormat format = ImageFormat::kUnknown;
  int channels = 0;  ///< in the file, opacity included; a palette counts as 3
  int bits = 8;      ///< per channel, 8 or 16
  std::array<double, kFeatureCount> features{};
  std::string sha256;
  PerceptualHash hash{};

  double feature(Feature which) const { return features[static_cast<std::size_t>(which)]; }
};

/// What is looked at once and added up.
struct PictureView {
  std::array<std::uint32_t, kIntensityBins> intensities{};  ///< pixels of `plane` per bin of 256 / 64 levels
  Plane plane;                                              ///< kFactsSide x kFactsSide
};

struct MeasuredPicture {
  PictureFacts facts;
  PictureView view;
};

/// Channels that a JPEG or PNG says it has; 0 where it says nothing. Reads the
/// headers alone, whatever bytes they are.
int channels_of(std::span<const std::byte> bytes);

/// Reads one file and measures it. Failures are those of read_file and
/// decode_image. Thread-safe.
Result<MeasuredPicture> measure_picture(const std::filesystem::path& path, const DecodeLimits& limits = {});

}  // namespace xray
