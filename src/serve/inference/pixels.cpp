#include "serve/inference/pixels.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "image/codecs.h"

namespace xray {
namespace {

/// Elements of type T that lie at any address.
template <typename T>
class Elements {
 public:
  explicit Elements(RawElements raw) : raw_(raw) {}
  std::size_t size() const { return raw_.size() / sizeof(T); }
  T operator[](std::size_t index) const {
    T value;
    std::memcpy(&value, raw_.data() + index * sizeof(T), sizeof(T));
    return value;
  }

 private:
  RawElements raw_;
};

template <typename T>
constexpr double kWhite = std::same_as<T, std::uint16_t> ? 65535 : 255;

/// Pixels of the picture that levels of type T make.
template <typename T>
using Stored =
    std::conditional_t<std::floating_point<T> || std::same_as<T, std::uint16_t>, std::uint16_t, std::uint8_t>;

template <typename T>
Result<Done> check_levels(const Elements<T>& levels) {
  double lowest = kWhite<T>;
  double highest = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const auto level = static_cast<double>(levels[i]);
    if (std::isnan(level)) return Error{ErrorCode::kInvalidArgument, "a gray level is not a number"};
    lowest = std::min(lowest, level);
    highest = std::max(highest, level);
  }
  const auto refused = [](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument,
                 what + "; black is 0 and white " + std::to_string(static_cast<int>(kWhite<T>))};
  };
  if (lowest < 0) return refused("there are gray levels below 0");
  if (highest > kWhite<T>) return refused("there are gray levels above " + std::to_string(int(kWhite<T>)));
  if (std::floating_point<T> && highest > 0 && highest <= 1) return refused("no gray level exceeds 1");
  return Done{};
}

/// Levels that were checked -> luma.
template <typename T>
std::vector<Stored<T>> to_pixels(const Elements<T>& levels, std::size_t channels) {
  // 255 * 257 = 65535: what lies between two gray levels is kept.
  const auto level = [&](std::size_t index) {
    if constexpr (std::floating_point<T>)
      return static_cast<std::uint32_t>(std::lround(levels[index] * T{257}));
    else
      return static_cast<std::uint32_t>(levels[index]);
  };
  std::vector<Stored<T>> pixels;
  pixels.reserve(levels.size() / channels);
  for (std::size_t i = 0; i < levels.size(); i += channels)
    pixels.push_back(
        static_cast<Stored<T>>(channels == 1 ? level(i) : luma(level(i), level(i + 1), level(i + 2))));
  return pixels;
}

template <typename T>
Result<Image> to_picture(RawElements raw, int width, int height, std::size_t channels) {
  const Elements<T> levels(raw);
  if (const Result<Done> good = check_levels(levels); !good) return good.error();
  return Image(width, height, to_pixels(levels, channels));
}

}  // namespace

Error unread_pixel_type(DataType type) {
  return {ErrorCode::kUnsupported,
          std::string("pixels of type ") + name(type) +
              " are not read; UINT8, UINT16, UINT32, INT16, INT32, INT64, FP32 and FP64 are"};
}

Result<PixelTensor> PixelTensor::open(const InputTensor& tensor, const DecodeLimits& limits) {
  if (!with_pixel_type(tensor.type, [](auto) { return true; }, false)) return unread_pixel_type(tensor.type);
  const auto& shape = tensor.shape;
  const Result<std::uint64_t> count = element_count(shape);
  if (!count) return count.error();
  const bool fits = shape.size() == 3 || (shape.size() == 4 && (shape[3] == 1 || shape[3] == 3));
  constexpr std::int64_t kLongest = std::numeric_limits<int>::max();
  if (!fits || *count == 0 || shape[1] > kLongest || shape[2] > kLongest)
    return Error{ErrorCode::kInvalidArgument,
                 "pixels have the shape [pictures, rows, columns], [.., .., .., 1] or [.., .., .., 3], not " +
                     describe_shape(shape)};
  if (const Result<Done> small =
          check_pixels(static_cast<std::uint32_t>(shape[2]), static_cast<std::uint32_t>(shape[1]), limits);
      !small)
    return small.error();
  const RawElements raw = std::get<RawElements>(tensor.elements);
  if (raw.size() % size_of(tensor.type) != 0 || raw.size() / size_of(tensor.type) != *count)
    return Error{ErrorCode::kInvalidArgument, describe_shape(shape) + " of " + name(tensor.type) + " is " +
                                                  std::to_string(*count) + " elements of " +
                                                  std::to_string(size_of(tensor.type)) + " bytes, but " +
                                                  std::to_string(raw.size()) + " bytes came"};
  PixelTensor pixels;
  pixels.type_ = tensor.type;
  pixels.pictures_ = static_cast<std::size_t>(shape[0]);
  pixels.height_ = static_cast<int>(shape[1]);
  pixels.width_ = static_cast<int>(shape[2]);
  pixels.channels_ = shape.size() == 4 ? static_cast<std::size_t>(shape[3]) : 1;
  pixels.raw_ = raw;
  return pixels;
}

Result<Image> PixelTensor::picture(std::size_t index) const {
  const std::size_t size = raw_.size() / pictures_;
  const RawElements raw = raw_.subspan(index * size, size);
  const auto read = [&](auto zero) { return to_picture<decltype(zero)>(raw, width_, height_, channels_); };
  return with_pixel_type(type_, read, unread_pixel_type(type_));
}

}  // namespace xray
