#include "preprocess/preprocess.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <stdexcept>
#include <string>

#include "preprocess/lung_field.h"

namespace xray {
namespace {

// One build runs on every x86-64 machine and still uses the widest vectors it
// finds there. Sanitizers do not get along with that choice at load time.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define XRAY_WIDEST_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define XRAY_WIDEST_VECTORS
#endif

// Less contrast than this, in gray levels, is no picture of anything.
constexpr float kFlatRange = 1.0F;

/// Which samples of a line make up each sample of the resized line, and how much of each.
struct Filter {
  int taps = 0;                ///< weights per output sample; those beyond the triangle are 0
  std::vector<int> first;      ///< per output sample: the first sample it takes
  std::vector<float> weights;  ///< output sample by output sample, `taps` each
};

/// A triangle of half-width max(1, reduction), or of 1 where that is not `antialiased`, cut where the
/// line of `samples` ends. What is resized begins at `start` and is `length` long, which may end inside
/// a sample, or outside the line: there is black. The weights of each output sample, with those of the
/// black, add up to `sum`.
Filter make_filter(int samples, double start, double length, int out_samples, double sum, bool antialiased) {
  const double reduction = length / out_samples;
  const double half_width = antialiased ? std::max(reduction, 1.0) : 1.0;
  const double begin = std::min(0.0, start);
  const double end = std::max(static_cast<double>(samples), start + length);
  Filter filter;
  const int reach = static_cast<int>(std::ceil(2 * half_width)) + 1;
  filter.taps = std::min(samples, reach);
  filter.first.reserve(static_cast<std::size_t>(out_samples));
  filter.weights.reserve(static_cast<std::size_t>(out_samples) * static_cast<std::size_t>(filter.taps));
  std::vector<double> triangle(static_cast<std::size_t>(filter.taps));
  for (int i = 0; i < out_samples; ++i) {
    const double center = start + (i + 0.5) * reduction;
    const auto weight_of = [&](double sample) {
      return std::max(0.0, 1.0 - std::abs(sample + 0.5 - center) / half_width);
    };
    const double reached = std::floor(center - half_width + 0.5);
    const int first = static_cast<int>(std::clamp(reached, 0.0, static_cast<double>(samples - filter.taps)));
    double total = 0;
    for (std::size_t tap = 0; tap < triangle.size(); ++tap) {
      triangle[tap] = weight_of(first + static_cast<double>(tap));
      total += triangle[tap];
    }
    for (double sample = reached; sample < reached + reach; ++sample) {
      const bool black = (sample < 0 && sample >= begin) || (sample >= samples && sample < end);
      if (black) total += weight_of(sample);
    }
    filter.first.push_back(first);
    for (const double weight : triangle) filter.weights.push_back(static_cast<float>(weight * sum / total));
  }
  return filter;
}

/// The one sample that each output sample's middle lies in, times `sum`; nothing of it outside the line.
Filter nearest_filter(int samples, double start, double length, int out_samples, double sum) {
  Filter filter{.taps = 1};
  for (int i = 0; i < out_samples; ++i) {
    const double sample = std::floor(start + (i + 0.5) * length / out_samples);
    const bool inside = sample >= 0 && sample < samples;
    filter.first.push_back(inside ? static_cast<int>(sample) : 0);
    filter.weights.push_back(inside ? static_cast<float>(sum) : 0.0F);
  }
  return filter;
}

Filter filter_for(Interpolation interpolation, int samples, double start, double length, int out_samples,
                  double sum) {
  switch (interpolation) {
    case Interpolation::kAntialiased:
    case Interpolation::kBilinear:
      return make_filter(samples, start, length, out_samples, sum,
                         interpolation == Interpolation::kAntialiased);
    case Interpolation::kNearest:
      return nearest_filter(samples, start, length, out_samples, sum);
  }
  throw std::logic_error("no such interpolation");
}

template <typename Pixel>
inline void add_scaled(const Pixel* row, float weight, float* sums, int width) {
  for (int x = 0; x < width; ++x) sums[x] += weight * static_cast<float>(row[x]);
}
XRAY_WIDEST_VECTORS void add_row(const std::uint8_t* row, float weight, float* sums, int width) {
  add_scaled(row, weight, sums, width);
}
XRAY_WIDEST_VECTORS void add_row(const std::uint16_t* row, float weight, float* sums, int width) {
  add_scaled(row, weight, sums, width);
}

void filter_row(const Filter& filter, const float* row, float* out) {
  const float* weight = filter.weights.data();
  for (const int first : filter.first) {
    float sum = 0;
    for (int tap = 0; tap < filter.taps; ++tap) sum += *weight++ * row[first + tap];
    *out++ = sum;
  }
}

/// Columns first, whole rows at a time: that pass touches every source pixel, in the order in which they lie.
template <typename Pixel>
void filter_picture(const Filter& columns, const Filter& rows, const Pixel* pixels, int width, Plane& plane) {
  std::vector<float> sums(static_cast<std::size_t>(width));
  const float* weight = columns.weights.data();
  float* out = plane.values.data();
  for (const int first : columns.first) {
    std::fill(sums.begin(), sums.end(), 0.0F);
    const Pixel* row = pixels + static_cast<std::ptrdiff_t>(first) * width;
    for (int tap = 0; tap < columns.taps; ++tap, row += width) {
      add_row(row, *weight++, sums.data(), width);
    }
    filter_row(rows, sums.data(), out);
    out += plane.width;
  }
}

/// Sum of `term(value)` over the values, in double. Sixteen sums side by side
/// leave the compiler free to use vectors, which one running sum would not.
template <typename Term>
double sum_of(std::span<const float> values, const Term& term) {
  std::array<double, 16> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= values.size(); i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane)
      sums[lane] += term(static_cast<double>(values[i + lane]));
  }
  for (; i < values.size(); ++i) sums[0] += term(static_cast<double>(values[i]));
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

/// Highest less lowest, in sixteen lanes as above.
float range_of(std::span<const float> values) {
  std::array<float, 16> low;
  std::array<float, 16> high;
  low.fill(values.front());
  high.fill(values.front());
  std::size_t i = 0;
  for (; i + low.size() <= values.size(); i += low.size()) {
    for (std::size_t lane = 0; lane < low.size(); ++lane) {
      low[lane] = std::min(low[lane], values[i + lane]);
      high[lane] = std::max(high[lane], values[i + lane]);
    }
  }
  for (; i < values.size(); ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return *std::ranges::max_element(high) - *std::ranges::min_element(low);
}

/// All of the picture; one that was decoded at a reduced scale may end inside its last pixels.
Frame whole(const Image& image) {
  return {0, 0, image.source_width() * image.scale(), image.source_height() * image.scale()};
}

/// What `seen` holds of the picture resized, refused where there is nothing to see on it.
Result<Plane> usable_plane(const Image& image, const Frame& seen, int width, int height,
                           Interpolation interpolation = Interpolation::kAntialiased) {
  if (image.width() < kSmallestSide || image.height() < kSmallestSide) {
    return Error{ErrorCode::kUnusable,
                 "the picture is too small to be judged: " + std::to_string(image.width()) + " x " +
                     std::to_string(image.height()) + " pixels"};
  }
  Plane plane = resize(image, seen, width, height, interpolation);
  if (range_of(plane.values) < kFlatRange) {
    return Error{ErrorCode::kUnusable, "the picture is one flat gray; there is nothing to be judged"};
  }
  return plane;
}

/// What brings the highest bit in use to the top: 10 to 14 bits written into 16 would have a few
/// gray levels left of 256.
float lift_of(const Image& image) {
  if (image.bits() == 8) return 1.0F;
  const std::uint16_t top = *std::ranges::max_element(image.pixels16());
  return static_cast<float>(1U << (16U - static_cast<unsigned>(std::bit_width(top))));
}

}  // namespace

Plane resize(const Image& image, const Frame& frame, int width, int height) {
  const bool inside = frame.x >= 0 && frame.y >= 0 && frame.width > 0 && frame.height > 0 &&
                      frame.x + frame.width <= image.width() && frame.y + frame.height <= image.height();
  if (!inside || width < 1 || height < 1) {
    throw std::invalid_argument("resize: the frame is not inside the picture, or the size is below 1");
  }
  return resize(image, frame, width, height, Interpolation::kAntialiased);
}

Plane resize(const Image& image, const Frame& frame, int width, int height, Interpolation interpolation) {
  const bool touches = frame.width > 0 && frame.height > 0 && frame.x < image.width() &&
                       frame.y < image.height() && frame.x + frame.width > 0 && frame.y + frame.height > 0;
  if (!touches || width < 1 || height < 1)
    throw std::invalid_argument("resize: the frame is not on the picture, or the size is below 1");
  const double levels = image.bits() == 8 ? 1.0 : 1.0 / 257;
  const Filter rows = filter_for(interpolation, image.width(), frame.x, frame.width, width, 1.0);
  const Filter columns = filter_for(interpolation, image.height(), frame.y, frame.height, height, levels);

  Plane plane{width, height, {}};
  plane.values.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  if (image.bits() == 8) {
    filter_picture(columns, rows, image.pixels8().data(), image.width(), plane);
  } else {
    filter_picture(columns, rows, image.pixels16().data(), image.width(), plane);
  }
  return plane;
}

Plane resize(const Image& image, int width, int height) {
  return resize(image, whole(image), width, height);
}

Frame seen_of(int width, int height, Fit fit, int input_width, int input_height) {
  if (fit == Fit::kSquash) return {0, 0, double(width), double(height)};
  // The picture's sides as they would have to be beside the other side.
  const int wanted_width = static_cast<int>(std::int64_t{height} * input_width / input_height);
  const int wanted_height = static_cast<int>(std::int64_t{width} * input_height / input_width);
  const int seen_width = fit == Fit::kCrop ? std::min(width, wanted_width) : std::max(width, wanted_width);
  const int seen_height =
      fit == Fit::kCrop ? std::min(height, wanted_height) : std::max(height, wanted_height);
  // Bars as wide on either side, down to a pixel; what is cropped off likewise.
  const auto before = [&](int side, int seen) {
    return fit == Fit::kCrop ? (side - seen) / 2 : -((seen - side) / 2);
  };
  return {double(before(width, seen_width)), double(before(height, seen_height)),
          double(std::max(seen_width, 1)), double(std::max(seen_height, 1))};
}

Image to_image(const Plane& plane) {
  Image::Pixels8 pixels(plane.values.size());
  std::ranges::transform(plane.values, pixels.begin(), [](float value) {
    // Not lround: a call for each pixel costs more than all else here.
    return static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F) + 0.5F);
  });
  return {plane.width, plane.height, std::move(pixels)};
}

Result<Image> standard_film(const Image& image) {
  Result<Plane> plane = usable_plane(image, whole(image), kFilmSide, kFilmSide);
  if (!plane) return plane.error();
  const float lift = lift_of(image);
  if (lift > 1.0F) {
    for (float& value : plane->values) value *= lift;
  }
  return to_image(*plane);
}

Preprocessor::Preprocessor(InputSpec spec) : spec_(spec) {
  if (spec.width < 1 || spec.height < 1 || !(spec.scale > 0) || !(spec.margin >= 0)) {
    throw std::invalid_argument("Preprocessor: sizes and scale must be positive");
  }
}

std::size_t Preprocessor::input_size() const {
  return static_cast<std::size_t>(spec_.width) * static_cast<std::size_t>(spec_.height);
}

Frame Preprocessor::seen(const Image& image) const {
  if (spec_.fit == Fit::kSquash) return whole(image);
  return seen_of(image.width(), image.height(), spec_.fit, spec_.width, spec_.height);
}

DecodeSize Preprocessor::decode_size() const {
  // A scaled decode filters otherwise than resize() does. On 274 films of 0.1 to 7
  // megapixels scores moved by up to 0.026 at 3/2 of the input's size, 0.034 at 3
  // times and under 0.01 at 4 times; entropy decoding, which no scale saves, costs
  // most anyway.
  if (spec_.framing == Framing::kLungs) return {kFilmSide * 4, kFilmSide * 4};
  // Which pixels are taken and which are passed over, a scaled decode would decide anew.
  if (spec_.interpolation != Interpolation::kAntialiased || spec_.fit != Fit::kSquash) return {};
  return {spec_.width * 4, spec_.height * 4};
}

Result<Done> Preprocessor::operator()(const Image& image, std::span<float> input) const {
  require(Framing::kFilm, input);
  const Result<Plane> plane =
      usable_plane(image, seen(image), spec_.width, spec_.height, spec_.interpolation);
  if (!plane) return plane.error();
  std::copy(plane->values.begin(), plane->values.end(), input.begin());
  normalise(input);
  return Done{};
}

Result<Frame> Preprocessor::operator()(const Image& film, const LungField& lungs,
                                       std::span<float> input) const {
  require(Framing::kLungs, input);
  const Result<LungView> view = view_lungs(film, lungs, spec_.margin, spec_.tone);
  if (!view) return view.error();
  const Plane plane = resize(view->film, view->frame, spec_.width, spec_.height);
  std::copy(plane.values.begin(), plane.values.end(), input.begin());
  normalise(input);
  return view->frame;
}

void Preprocessor::require(Framing framing, std::span<const float> input) const {
  if (spec_.framing != framing)
    throw std::invalid_argument("Preprocessor: this model frames its films otherwise");
  if (input.size() != input_size()) throw std::invalid_argument("Preprocessor: wrong size of the input");
}

void Preprocessor::normalise(std::span<float> values) const {
  float mean = spec_.mean;
  float scale = spec_.scale;
  if (spec_.normalisation == Normalisation::kPerImage) {
    const auto count = static_cast<double>(values.size());
    const double average = sum_of(values, [](double v) { return v; }) / count;
    const double variance =
        sum_of(values, [average](double v) { return (v - average) * (v - average); }) / count;
    mean = static_cast<float>(average);
    scale = std::max(1.0F, static_cast<float>(std::sqrt(variance)));
  }
  const float factor = 1.0F / scale;
  for (float& value : values) value = (value - mean) * factor;
}

}  // namespace xray
