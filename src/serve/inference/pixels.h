#pragma once

#include <vector>

#include "common/result.h"
#include "image/decode.h"
#include "image/image.h"
#include "serve/inference/tensor.h"

namespace xray {

/// A tensor of pixels, [pictures, rows, columns], or with gray or red, green, blue
/// behind: [..., 1] or [..., 3]. Colour becomes luma by ITU-R BT.601.
///
/// Gray levels are 0 (black) to 255 in every type but UINT16, where they go up to
/// 65535. Levels outside, and floats that none exceeds 1, are refused and never
/// clamped or stretched: what was meant cannot be known.
class PixelTensor {
 public:
  /// Checks type, shape and sizes; nothing is copied. `tensor` outlives the object.
  /// kInvalidArgument where they do not fit together, kUnsupported for other types
  /// (read: UINT8, UINT16, UINT32, INT16, INT32, INT64, FP32, FP64), kTooLarge for
  /// pictures over `limits`.
  static Result<PixelTensor> open(const InputTensor& tensor, const DecodeLimits& limits);

  std::size_t pictures() const { return pictures_; }

  /// The picture at `index`, below pictures(); 16 bits from UINT16 and floats, else 8.
  /// kInvalidArgument for gray levels as above.
  Result<Image> picture(std::size_t index) const;

 private:
  PixelTensor() = default;

  DataType type_ = DataType::kUint8;
  std::size_t pictures_ = 0;
  int width_ = 0;
  int height_ = 0;
  std::size_t channels_ = 1;
  RawElements raw_;
};

}  // namespace xray
