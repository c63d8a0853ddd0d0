#include "perturb/perturb.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "perturb/draw.h"
#include "preprocess/preprocess.h"

namespace xray {
namespace {

/// A picture while it is worked on; `white` as PerturbationKind has it.
struct Film {
  Plane plane;
  float white = 255;
  int bits = 8;

  int side() const { return std::min(plane.width, plane.height); }
};

Film to_film(const Image& image) {
  Film film{resize(image, image.width(), image.height()), 255, image.bits()};
  if (film.bits == 16) film.white = std::max(1.0F, *std::ranges::max_element(film.plane.values));
  return film;
}

Image to_picture(Film film) {
  for (float& value : film.plane.values) value = std::clamp(value, 0.0F, film.white);
  if (film.bits == 8) return to_image(film.plane);
  Image::Pixels16 pixels(film.plane.values.size());
  std::ranges::transform(film.plane.values, pixels.begin(),
                         [](float value) { return static_cast<std::uint16_t>(std::lround(value * 257)); });
  return {film.plane.width, film.plane.height, std::move(pixels)};
}

/// Levels as a screen shows them: white is 255, in 8 bits.
void show(Film& film) {
  for (float& value : film.plane.values) value *= 255 / film.white;
  film.white = 255;
  film.bits = 8;
}

void set_window(Film& film, double tail) {
  const auto quantile = [&](double share) {
    std::vector<float> values = film.plane.values;
    const auto nth = values.begin() + std::lround(share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, nth);
    return *nth;
  };
  const float low = quantile(tail);
  const float range = quantile(1 - tail) - low;
  if (range <= 0) return;
  for (float& value : film.plane.values) value = (value - low) / range * film.white;
}

void add_noise(Film& film, double sigma, Random& random) {
  constexpr int kGrains = 640;  // along the longer side
  constexpr double kMiddle = 32768;
  constexpr double kSigma = 6000;  // of the 16-bit pattern, which holds five of them either way
  const double pixels_per_grain = std::max(film.plane.width, film.plane.height) / double{kGrains};
  const int width = static_cast<int>(std::ceil(film.plane.width / pixels_per_grain));
  const int height = static_cast<int>(std::ceil(film.plane.height / pixels_per_grain));
  Image::Pixels16 grains(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (std::uint16_t& grain : grains)
    grain = static_cast<std::uint16_t>(
        std::clamp<long>(std::lround(kMiddle + kSigma * random.normal()), 0, 65535));
  const Plane noise = resize(Image(width, height, std::move(grains)), film.plane.width, film.plane.height);
  const auto strength = static_cast<float>(sigma * static_cast<double>(film.white) / kSigma * 257);
  constexpr auto kMiddleLevel = static_cast<float>(kMiddle / 257);
  for (std::size_t i = 0; i < noise.values.size(); ++i)
    film.plane.values[i] += strength * (noise.values[i] - kMiddleLevel);
}

/// Every pixel (x, y) from the place `source(x, y)` of the old plane, bilinear; `beyond` outside of it.
template <typename Source>
void remap(Plane& plane, float beyond, const Source& source) {
  const Plane old = std::exchange(plane, like(plane));
  const auto pixel = [&](int x, int y) {
    return x < 0 || y < 0 || x >= old.width || y >= old.height ? beyond : at(old, x, y);
  };
  for (int y = 0; y < plane.height; ++y) {
    for (int x = 0; x < plane.width; ++x) {
      const auto [sx, sy] = source(x, y);
      const int x0 = static_cast<int>(std::floor(sx));
      const int y0 = static_cast<int>(std::floor(sy));
      const auto fx = static_cast<float>(sx - x0);
      const auto fy = static_cast<float>(sy - y0);
      const float top = std::lerp(pixel(x0, y0), pixel(x0 + 1, y0), fx);
      const float bottom = std::lerp(pixel(x0, y0 + 1), pixel(x0 + 1, y0 + 1), fx);
      at(plane, x, y) = std::lerp(top, bottom, fy);
    }
  }
}

void rotate(Plane& plane, double degrees) {
  const double cosine = std::cos(degrees * std::numbers::pi / 180);
  const double sine = std::sin(degrees * std::numbers::pi / 180);
  const double cx = (plane.width - 1) / 2.0;
  const double cy = (plane.height - 1) / 2.0;
  remap(plane, 0, [=](int x, int y) {
    return std::pair(cosine * (x - cx) + sine * (y - cy) + cx, cosine * (y - cy) - sine * (x - cx) + cy);
  });
}

/// Whole pixels, so that nothing but the place changes.
void shift(Plane& plane, double x_share, double y_share) {
  const double dx = std::round(x_share * plane.width);
  const double dy = std::round(y_share * plane.height);
  remap(plane, 0, [=](int x, int y) { return std::pair(x - dx, y - dy); });
}

Plane crop(const Plane& plane, double share) {
  const int x0 = static_cast<int>(std::lround(share * plane.width));
  const int y0 = static_cast<int>(std::lround(share * plane.height));
  const int width = plane.width - 2 * x0;
  const int height = plane.height - 2 * y0;
  Plane out{width, height, {}};
  for (int y = 0; y < height; ++y) {
    const float* row =
        &plane.values[static_cast<std::size_t>(y + y0) * static_cast<std::size_t>(plane.width)];
    out.values.insert(out.values.end(), row + x0, row + x0 + width);
  }
  return out;
}

Plane frame(const Plane& plane, int border, float value) {
  Plane out{plane.width + 2 * border, plane.height + 2 * border, {}};
  out.values.assign(static_cast<std::size_t>(out.width) * static_cast<std::size_t>(out.height), value);
  for (int y = 0; y < plane.height; ++y)
    for (int x = 0; x < plane.width; ++x) at(out, x + border, y + border) = at(plane, x, y);
  return out;
}

void collimate(Film& film, double widest, Random& random) {
  const double side = film.side();
  const double left = random.uniform(widest / 2, widest) * side;
  const double right = film.plane.width - 1 - random.uniform(widest / 2, widest) * side;
  const double top = random.uniform(widest / 2, widest) * side;
  const double bottom = film.plane.height - 1 - random.uniform(widest / 2, widest) * side;
  // Blades are seldom parallel to the film.
  const double tilt = random.uniform(-0.02, 0.02);
  const double soft = std::max(1.0, 0.015 * side);
  const auto open = [&](double inside) {
    const double t = std::clamp(inside / soft, 0.0, 1.0);
    return t * t * (3 - 2 * t);
  };
  const float shadow = 0.015F * film.white;  // scatter reaches even there
  for (int y = 0; y < film.plane.height; ++y) {
    for (int x = 0; x < film.plane.width; ++x) {
      const double u = x + tilt * (y - film.plane.height / 2.0);
      const double v = y - tilt * (x - film.plane.width / 2.0);
      float& value = at(film.plane, x, y);
      const double light = open(u - left) * open(right - u) * open(v - top) * open(bottom - v);
      value = shadow + static_cast<float>(light) * (value - shadow);
    }
  }
}

template <typename Source>
void mirror(Plane& plane, const Source& source) {
  const Plane old = plane;
  for (int y = 0; y < plane.height; ++y)
    for (int x = 0; x < plane.width; ++x) at(plane, x, y) = source(old, x, y);
}

/// Two digits, from `low` to `high`.
std::string number(Random& random, std::uint64_t low, std::uint64_t high) {
  return std::to_string(100 + low + random.below(high - low + 1)).substr(1);
}

/// What machines write beside the chest; nobody's data.
void burn_in_text(Film& film, double share, Random& random) {
  const double height = std::max(7.0, share * film.side());
  const double margin = height / 2;
  const double line = 1.4 * height;
  const auto print = [&](const std::string& text, double x, double y) {
    draw_text(film.plane, text, x, y, height, 0.1, film.white);
  };
  print("PAT " + number(random, 0, 99) + number(random, 0, 99) + number(random, 0, 99), margin, margin);
  print(number(random, 1, 28) + "." + number(random, 1, 12) + ".20" + number(random, 10, 26), margin,
        margin + line);
  print(number(random, 0, 23) + ":" + number(random, 0, 59), margin, margin + 2 * line);
  const std::string exposure = number(random, 55, 90) + "KV " + number(random, 10, 40) + "MAS";
  const double x = film.plane.width - margin - 0.75 * height * static_cast<double>(exposure.size());
  print("AP SUPINE", x, film.plane.height - margin - height - line);
  print(exposure, x, film.plane.height - margin - height);
}

void put_marker(Film& film, double share, Random& random) {
  const double height = std::max(7.0, share * film.side());
  // The patient faces the reader: the right side is on the left.
  const bool right = random.below(2) == 0;
  const double inset = random.uniform(0.05, 0.1) * film.plane.width;
  const double x = right ? inset : film.plane.width - inset - height / 2;
  const double y = random.uniform(0.05, 0.14) * film.plane.height;
  if (random.below(2) == 0) {
    const int edge = static_cast<int>(0.3 * height);
    const int left = static_cast<int>(x) - edge;
    const int top = static_cast<int>(y) - edge;
    const int width = static_cast<int>(0.5 * height) + 2 * edge;
    const int tall = static_cast<int>(height) + 2 * edge;
    const int rim = std::max(1, static_cast<int>(0.07 * height));
    fill_box(film.plane, left, top, width, tall, 0.9F * film.white);
    fill_box(film.plane, left + rim, top + rim, width - 2 * rim, tall - 2 * rim, 0.35F * film.white);
  }
  draw_text(film.plane, right ? "R" : "L", x, y, height, 0.16, 0.96F * film.white);
}

/// Markers hang in the upper corners more often, where arms leave more room beside the lungs.
void hide_corners(Plane& plane, double share, bool black) {
  const int width = std::max(1, static_cast<int>(share * plane.width));
  const auto hide = [&](int x0, int y0, int height) {
    double sum = 0;
    for (int y = y0; y < y0 + height; ++y)
      for (int x = x0; x < x0 + width; ++x) sum += static_cast<double>(at(plane, x, y));
    const double mean = sum / (static_cast<double>(width) * height);
    fill_box(plane, x0, y0, width, height, black ? 0.0F : static_cast<float>(mean));
  };
  const int upper = std::max(1, static_cast<int>(1.25 * share * plane.height));
  const int lower = std::max(1, static_cast<int>(0.75 * share * plane.height));
  for (const int x : {0, plane.width - width}) {
    hide(x, 0, upper);
    hide(x, plane.height - lower, lower);
  }
}

/// The 12-bit values that a detector gives to black and to white, with room to spare on both sides.
Image to_twelve_bits(const Film& film, unsigned left_shift) {
  Image::Pixels16 pixels(film.plane.values.size());
  std::ranges::transform(film.plane.values, pixels.begin(), [&](float value) {
    return static_cast<std::uint16_t>(std::lround(300 + value / film.white * 3300) << left_shift);
  });
  return {film.plane.width, film.plane.height, std::move(pixels)};
}

void photograph_screen(Film& film, Random& random) {
  show(film);
  Plane& plane = film.plane;
  const double side = film.side();
  const double width = plane.width;
  const double height = plane.height;
  const auto centred = [&](int x, int y) {
    return std::pair(2 * (x + 0.5) / width - 1, 2 * (y + 0.5) / height - 1);
  };

  // Held a little askew: the screen's own rim shows.
  const double zoom = random.uniform(1.02, 1.08);
  const double turn = random.uniform(-1.5, 1.5) * std::numbers::pi / 180;
  const double lean_x = random.uniform(-0.05, 0.05);
  const double lean_y = random.uniform(-0.05, 0.05);
  const double tone = random.uniform(1.1, 1.3);
  for (float& value : plane.values) {
    // A screen's black glows, and the camera's tone curve is not the screen's.
    const double v = std::pow(static_cast<double>(std::clamp(value, 0.0F, 255.0F)) / 255, tone);
    value = static_cast<float>(22 + 215 * v);
  }
  constexpr float kBezel = 14;
  remap(plane, kBezel, [&](int x, int y) {
    const auto [u, v] = centred(x, y);
    const double depth = 1 + lean_x * u + lean_y * v;
    const double su = zoom * (std::cos(turn) * u + std::sin(turn) * v) / depth;
    const double sv = zoom * (std::cos(turn) * v - std::sin(turn) * u) / depth;
    return std::pair((su + 1) / 2 * width - 0.5, (sv + 1) / 2 * height - 0.5);
  });

  // Pixels of screen and camera beat: curved stripes, some dozens over the picture.
  const double stripes = random.uniform(25, 45) * std::numbers::pi;
  const double slant = random.uniform(-0.4, 0.4);
  const double bend = random.uniform(1, 3);
  const double glare_x = random.uniform(-0.8, 0.8);
  const double glare_y = random.uniform(-0.9, 0);
  for (int y = 0; y < plane.height; ++y) {
    for (int x = 0; x < plane.width; ++x) {
      const auto [u, v] = centred(x, y);
      const double moire = 0.025 * std::sin(stripes * (u + slant * v) + bend * v * v);
      const double vignette = 1 - 0.08 * (u * u + v * v);
      const double far = std::hypot(u - glare_x, v - glare_y) / 0.35;
      float& value = at(plane, x, y);
      value =
          value * static_cast<float>((1 + moire) * vignette) + static_cast<float>(40 * std::exp(-far * far));
    }
  }
  blur(plane, std::max(0.3, 0.0025 * side));
  add_noise(film, 0.008, random);
  plane = recompress(plane, 85);
}

}  // namespace

Image perturb(const Image& image, const Perturbation& perturbation, std::uint64_t seed) {
  if (perturbation.kind == PerturbationKind::kOriginal) return image;
  Random random = Random(seed).fork(static_cast<std::uint64_t>(perturbation.kind));
  Film film = to_film(image);
  Plane& plane = film.plane;
  const double amount = perturbation.amount;
  const float white = film.white;
  const auto each_level = [&](const auto& change) {
    std::ranges::transform(plane.values, plane.values.begin(), change);
  };

  switch (perturbation.kind) {
    case PerturbationKind::kOriginal:
      break;
    case PerturbationKind::kBrightness:
      each_level([add = static_cast<float>(amount) * white](float v) { return v + add; });
      break;
    case PerturbationKind::kGamma:
      each_level([&](float v) { return white * std::pow(v / white, static_cast<float>(amount)); });
      break;
    case PerturbationKind::kContrast:
      each_level(
          [&, mean = mean_level(plane)](float v) { return mean + static_cast<float>(amount) * (v - mean); });
      break;
    case PerturbationKind::kWindow:
      set_window(film, amount);
      break;
    case PerturbationKind::kBlur:
      blur(plane, std::max(0.3, amount * film.side()));
      break;
    case PerturbationKind::kNoise:
      add_noise(film, amount, random);
      break;
    case PerturbationKind::kJpeg:
      show(film);
      plane = recompress(plane, static_cast<int>(amount));
      break;
    case PerturbationKind::kScale: {
      const auto scaled = [&](int extent) {
        return std::max(1, static_cast<int>(std::lround(amount * extent)));
      };
      plane = resize(image, scaled(plane.width), scaled(plane.height));
      break;
    }
    case PerturbationKind::kRotate:
      rotate(plane, amount);
      break;
    case PerturbationKind::kShiftX:
      shift(plane, amount, 0);
      break;
    case PerturbationKind::kShiftY:
      shift(plane, 0, amount);
      break;
    case PerturbationKind::kCrop:
      plane = crop(plane, amount);
      break;
    case PerturbationKind::kBlackBorder:
    case PerturbationKind::kWhiteBorder:
      plane = frame(plane, std::max(1, static_cast<int>(amount * film.side())),
                    perturbation.kind == PerturbationKind::kWhiteBorder ? white : 0);
      break;
    case PerturbationKind::kCollimation:
      collimate(film, amount, random);
      break;
    case PerturbationKind::kInvert:
      each_level([&](float v) { return white - v; });
      break;
    case PerturbationKind::kFlipLeftRight:
      mirror(plane, [](const Plane& old, int x, int y) { return at(old, old.width - 1 - x, y); });
      break;
    case PerturbationKind::kFlipUpsideDown:
      mirror(plane, [](const Plane& old, int x, int y) { return at(old, x, old.height - 1 - y); });
      break;
    case PerturbationKind::kText:
      burn_in_text(film, amount, random);
      break;
    case PerturbationKind::kMarker:
      put_marker(film, amount, random);
      break;
    case PerturbationKind::kCornersBlack:
    case PerturbationKind::kCornersFlat:
      hide_corners(plane, amount, perturbation.kind == PerturbationKind::kCornersBlack);
      break;
    case PerturbationKind::kDepth:
      if (film.bits == 8) return to_twelve_bits(film, 4);
      show(film);
      break;
    case PerturbationKind::kRawTwelveBits:
      return to_twelve_bits(film, 0);
    case PerturbationKind::kScreenPhotograph:
      photograph_screen(film, random);
      break;
  }
  return to_picture(std::move(film));
}

}  // namespace xray
