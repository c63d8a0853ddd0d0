#pragma once

#include <span>
#include <vector>

#include "common/result.h"
#include "image/decode.h"
#include "image/image.h"

namespace xray {

/// A rectangle in pixels of a picture; `width` and `height` at least 1.
struct Region {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

/// Gray plane of floats, row-major, in gray levels 0..255 (16-bit sources scaled by 255/65535).
struct Plane {
  int width = 0;
  int height = 0;
  std::vector<float> values;
};

/// `region` of `image` resized to width x height with a triangle filter whose
/// support grows with the reduction (antialiased bilinear, as Pillow's BILINEAR
/// and the filter that made the training set); the aspect ratio is not kept.
/// In float without rounding between the two directions. Throws
/// std::invalid_argument where the region is not inside the picture or a size is below 1.
Plane resize(const Image& image, Region region, int width, int height);
/// The whole picture.
Plane resize(const Image& image, int width, int height);

/// 8-bit picture of the plane, rounded, what lies outside 0..255 clamped.
Image to_image(const Plane& plane);

/// How pixel values become the network's input.
enum class Normalisation {
  kPerImage,  ///< (v - mean of the picture) / (its standard deviation, at least 1 gray level)
  kFixed,     ///< (v - mean) / scale, with the card's numbers
};

/// What the network wants to see; part of the model card.
struct InputSpec {
  int width = 224;
  int height = 224;
  Normalisation normalisation = Normalisation::kPerImage;
  float mean = 127.0F;   ///< for kFixed, in gray levels
  float scale = 128.0F;  ///< for kFixed, in gray levels
};

/// Image -> model input, the one code path for training, evaluation and serving.
/// Immutable after construction, so thread-safe.
class Preprocessor {
 public:
  explicit Preprocessor(InputSpec spec);

  const InputSpec& spec() const { return spec_; }
  /// Floats per picture: width * height (one channel).
  std::size_t input_size() const;

  /// The size below which decoding may not go if the score is to stay the same.
  DecodeSize decode_size() const;

  /// Resize, then normalise, into `input` (input_size() floats, row-major).
  /// kUnusable where the picture is narrower or lower than 32 pixels, or one flat gray.
  /// Throws std::invalid_argument unless input.size() == input_size().
  Result<Done> operator()(const Image& image, std::span<float> input) const;

  /// Only the second half, in place: gray levels 0..255 -> network input.
  /// Training calls it after its augmentations.
  void normalise(std::span<float> values) const;

 private:
  InputSpec spec_;
};

}  // namespace xray
