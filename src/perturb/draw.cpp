#include "perturb/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "image/decode.h"
#include "image/encode.h"

namespace xray {
namespace {

/// The odd, symmetric kernel along rows, then along columns, summed from its first tap to its last.
void convolve(Plane& plane, std::span<const float> kernel) {
  const int radius = static_cast<int>(kernel.size() / 2);
  const auto width = static_cast<std::size_t>(plane.width);
  const auto row_of = [&](std::vector<float>& values, int y) {
    return values.data() + static_cast<std::size_t>(y) * width;
  };
  std::vector<float> padded(width + kernel.size() - 1);
  std::vector<float> rows(plane.values.size());
  for (int y = 0; y < plane.height; ++y) {
    const float* in = row_of(plane.values, y);
    std::fill_n(padded.begin(), radius, in[0]);
    std::copy_n(in, width, padded.begin() + radius);
    std::fill_n(padded.end() - radius, radius, in[width - 1]);
    float* out = row_of(rows, y);
    for (std::size_t tap = 0; tap < kernel.size(); ++tap)
      for (std::size_t x = 0; x < width; ++x) out[x] += kernel[tap] * padded[x + tap];
  }
  std::fill(plane.values.begin(), plane.values.end(), 0.0F);
  for (int y = 0; y < plane.height; ++y) {
    float* out = row_of(plane.values, y);
    for (std::size_t tap = 0; tap < kernel.size(); ++tap) {
      const float* in = row_of(rows, std::clamp(y + static_cast<int>(tap) - radius, 0, plane.height - 1));
      for (std::size_t x = 0; x < width; ++x) out[x] += kernel[tap] * in[x];
    }
  }
}

/// Lines on a grid of 3 x 5 points: each pair of digits a column and a row, a space lifts the pen.
std::string_view strokes_of(char letter) {
  switch (letter) {
    case 'A':
      return "0401102124 0222";
    case 'C':
      return "201001031424";
    case 'E':
      return "20000424 0212";
    case 'H':
      return "0004 2024 0222";
    case 'I':
      return "1014";
    case 'K':
      return "0004 200224";
    case 'L':
      return "000424";
    case 'M':
      return "0400122024";
    case 'N':
      return "04002420";
    case 'P':
      return "040010211202";
    case 'R':
      return "04001021120224";
    case 'T':
      return "0020 1014";
    case 'U':
      return "00042420";
    case 'V':
      return "001420";
    case 'Y':
      return "001220 1214";
    case '0':
      return "0020240400";
    case '1':
      return "011014";
    case '2':
      return "002022020424";
    case '3':
      return "00202404 1222";
    case '4':
      return "000222 2024";
    case 'S':
    case '5':
      return "200002222404";
    case '6':
      return "200004242202";
    case '7':
      return "002014";
    case '8':
      return "0020240400 0222";
    case '9':
      return "2202002024";
    case '.':
      return "1414";
    case ':':
      return "1111 1313";
    default:
      return "";
  }
}

}  // namespace

Plane like(const Plane& plane) {
  return {plane.width, plane.height, std::vector<float>(plane.values.size())};
}

float mean_level(const Plane& plane) {
  double sum = 0;
  for (const float value : plane.values) sum += static_cast<double>(value);
  return static_cast<float>(sum / static_cast<double>(plane.values.size()));
}

void fill_box(Plane& plane, int x, int y, int width, int height, float value) {
  for (int row = std::max(y, 0); row < std::min(y + height, plane.height); ++row)
    for (int column = std::max(x, 0); column < std::min(x + width, plane.width); ++column)
      at(plane, column, row) = value;
}

void stroke(Plane& plane, double x0, double y0, double x1, double y1, int thick, float value) {
  const int steps = 1 + static_cast<int>(2 * std::hypot(x1 - x0, y1 - y0));
  for (int i = 0; i <= steps; ++i) {
    const double t = static_cast<double>(i) / steps;
    fill_box(plane, static_cast<int>(x0 + (x1 - x0) * t), static_cast<int>(y0 + (y1 - y0) * t), thick, thick,
             value);
  }
}

void draw_text(Plane& plane, std::string_view text, double x, double y, double height, double weight,
               float ink) {
  const int thick = std::max(1, static_cast<int>(std::lround(height * weight)));
  for (const char letter : text) {
    const std::string_view strokes = strokes_of(letter);
    for (std::size_t i = 0; i + 3 < strokes.size(); i += 2) {
      if (strokes[i + 2] == ' ') {
        ++i;
        continue;
      }
      const auto column = [&](std::size_t k) { return x + (strokes[k] - '0') * (height - thick) / 4; };
      const auto row = [&](std::size_t k) { return y + (strokes[k] - '0') * (height - thick) / 4; };
      stroke(plane, column(i), row(i + 1), column(i + 2), row(i + 3), thick, ink);
    }
    x += 0.75 * height;
  }
}

void smooth(Plane& plane, int passes) {
  for (int pass = 0; pass < passes; ++pass) convolve(plane, std::array{0.25F, 0.5F, 0.25F});
}

void blur(Plane& plane, double sigma) {
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> kernel;
  float sum = 0;
  for (int tap = -radius; tap <= radius; ++tap) {
    kernel.push_back(static_cast<float>(std::exp(-tap * tap / (2 * sigma * sigma))));
    sum += kernel.back();
  }
  for (float& weight : kernel) weight /= sum;
  convolve(plane, kernel);
}

Plane recompress(const Plane& plane, int quality) {
  const Result<Bytes> bytes = encode_jpeg(to_image(plane), quality);
  const Result<Image> again = bytes ? decode_image(*bytes) : bytes.error();
  return again ? resize(*again, plane.width, plane.height) : plane;
}

}  // namespace xray
