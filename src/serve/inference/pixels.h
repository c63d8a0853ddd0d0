#pragma once

#include <cstdint>
#include <type_traits>

#include "common/result.h"
#include "image/decode.h"
#include "image/image.h"
#include "serve/inference/tensor.h"

namespace xray {

/// `use` of a T{} whose type is that of the elements; `otherwise` for types that pixels are not read in.
template <typename Use>
auto with_pixel_type(DataType type, const Use& use, std::invoke_result_t<Use, float> otherwise)
    -> std::invoke_result_t<Use, float> {
  switch (type) {
    case DataType::kUint8:
      return use(std::uint8_t{});
    case DataType::kUint16:
      return use(std::uint16_t{});
    case DataType::kUint32:
      return use(std::uint32_t{});
    case DataType::kInt16:
      return use(std::int16_t{});
    case DataType::kInt32:
      return use(std::int32_t{});
    case DataType::kInt64:
      return use(std::int64_t{});
    case DataType::kFp32:
      return use(float{});
    case DataType::kFp64:
      return use(double{});
    case DataType::kBool:
    case DataType::kUint64:
    case DataType::kInt8:
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kBytes:
      break;
  }
  return otherwise;
}

/// kUnsupported, with the types that are read.
Error unread_pixel_type(DataType type);

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
