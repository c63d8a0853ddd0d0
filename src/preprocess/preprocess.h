#pragma once

#include <span>
#include <vector>

#include "common/result.h"
#include "image/decode.h"
#include "image/image.h"

namespace xray {

/// A part of a picture in its pixels, fractions too: pixel (0, 0) covers 0..1 in
/// both directions. `width` and `height` above 0.
struct Frame {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

/// Gray plane of floats, row-major, in gray levels 0..255 (16-bit sources scaled by 255/65535).
struct Plane {
  int width = 0;
  int height = 0;
  std::vector<float> values;
};

/// `frame` of `image` resized to width x height with a triangle filter whose
/// support grows with the reduction (antialiased bilinear, as Pillow's BILINEAR
/// and the filter that made the training set); the aspect ratio is not kept. In
/// float without rounding between the two directions. Throws
/// std::invalid_argument where the frame is not inside the picture or a size is below 1.
Plane resize(const Image& image, const Frame& frame, int width, int height);
/// The whole picture.
Plane resize(const Image& image, int width, int height);

/// How gray levels between and over pixels are found.
enum class Interpolation {
  kAntialiased,  ///< as resize() above: every pixel counts
  kBilinear,     ///< the four pixels around a point, however much is reduced (tf.image.resize, OpenCV)
  kNearest,      ///< the pixel that the point lies in
};

/// What becomes of a picture of another shape than the network's input.
enum class Fit {
  kSquash,  ///< its aspect ratio is not kept
  kCrop,    ///< as much of its middle as has the input's shape
  kPad,     ///< the whole of it, between two black bars
};

/// The part of a `width` x `height` picture that a network of such an input sees; larger than the
/// picture for Fit::kPad. In whole pixels, rounded down, as Keras does it.
Frame seen_of(int width, int height, Fit fit, int input_width, int input_height);

/// resize() with other interpolations; what of `frame` lies outside the picture is black. Throws
/// std::invalid_argument where frame and picture have nothing in common or a size is below 1.
Plane resize(const Image& image, const Frame& frame, int width, int height, Interpolation interpolation);

/// 8-bit picture of the plane, rounded, what lies outside 0..255 clamped.
Image to_image(const Plane& plane);

/// How pixel values become the network's input.
enum class Normalisation {
  kPerImage,  ///< (v - mean of the picture) / (its standard deviation, at least 1 gray level)
  kFixed,     ///< (v - mean) / scale, with the card's numbers
};

/// How much of a film the network sees.
enum class Framing {
  kFilm,   ///< the whole picture as it is
  kLungs,  ///< the box of its lungs, gray levels stretched by those in the lungs (lung_field.h)
};

/// What becomes of the gray levels of a film framed by its lungs.
enum class Tone {
  kStretch,   ///< straight, between the 1st and 99th percentile inside the lungs
  kEqualise,  ///< such that the levels inside the lungs are equally frequent
};

/// What the network wants to see; part of the model card.
struct InputSpec {
  int width = 224;
  int height = 224;
  Framing framing = Framing::kFilm;
  double margin = 0.06;        ///< for kLungs: added to each side of the box, as a share of its size
  Tone tone = Tone::kStretch;  ///< for kLungs
  Fit fit = Fit::kSquash;      ///< for kFilm, as the next
  Interpolation interpolation = Interpolation::kAntialiased;
  Normalisation normalisation = Normalisation::kPerImage;
  float mean = 127.0F;   ///< for kFixed, in gray levels
  float scale = 128.0F;  ///< for kFixed, in gray levels
};

/// Side of the square film in which lungs are looked for and cropped: that of the
/// pictures the shipped networks were trained on.
inline constexpr int kFilmSide = 224;

/// A picture with a side of fewer pixels shows no chest that could be judged.
inline constexpr int kSmallestSide = 32;

/// `image` as an 8-bit film of kFilmSide x kFilmSide pixels; of 16 bits, those above the highest in
/// use are left out, so that detectors' 10 to 14 keep their gray levels. kUnusable where it is
/// narrower or lower than 32 pixels, or one flat gray.
Result<Image> standard_film(const Image& image);

struct LungField;

/// Image -> model input, the one code path for training, evaluation and serving.
/// Immutable after construction, so thread-safe.
class Preprocessor {
 public:
  explicit Preprocessor(InputSpec spec);

  const InputSpec& spec() const { return spec_; }
  /// Floats per picture: width * height (one channel).
  std::size_t input_size() const;

  /// Framing::kFilm: the part of `image` that the network sees, in its pixels; see seen_of().
  Frame seen(const Image& image) const;

  /// The size below which decoding may not go if the score is to stay the same.
  DecodeSize decode_size() const;

  /// Framing::kFilm: resize, then normalise, into `input` (input_size() floats,
  /// row-major). kUnusable where the picture is narrower or lower than 32 pixels, or
  /// one flat gray. Throws std::invalid_argument for another size of `input` or framing.
  Result<Done> operator()(const Image& image, std::span<float> input) const;

  /// Framing::kLungs: crop the standard_film() to its lungs, stretch, resize, normalise.
  /// Returns what was cropped to, in pixels of the film. kUnusable where no lungs can
  /// be made out. Throws as above.
  Result<Frame> operator()(const Image& film, const LungField& lungs, std::span<float> input) const;

  /// Only the second half, in place: gray levels 0..255 -> network input.
  /// Training calls it after its augmentations.
  void normalise(std::span<float> values) const;

 private:
  void require(Framing framing, std::span<const float> input) const;

  InputSpec spec_;
};

}  // namespace xray
