#include "train/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "perturb/draw.h"
#include "perturb/lesions.h"

namespace xray {
namespace {

bool chance(Random& random, double probability) {
  return random.uniform() < probability;
}

/// Where output pixels are taken from: rotation, shear, zoom, aspect, shift and flip as
/// one map from the output's centre to the frame's.
struct Warp {
  double xx, xy, yx, yy;
  double from_x, from_y;  ///< centre of the output, shifted
  double to_x, to_y;      ///< centre of the frame, in pixels of the picture
};

Warp draw_warp(const Frame& frame, int width, int height, const AugmentOptions& options, Random& random) {
  const double angle = random.uniform(-1, 1) * options.rotate_degrees * std::numbers::pi / 180;
  const double shear = random.uniform(-1, 1) * options.shear;
  const double zoom = std::exp(random.uniform(std::log(options.zoom_out), std::log(options.zoom_in)));
  const double aspect = std::exp(random.uniform(-1, 1) * options.aspect / 2);
  const double flip = chance(random, options.flip) ? -1 : 1;
  const double shift_x = random.uniform(-1, 1) * options.shift * width;
  const double shift_y = random.uniform(-1, 1) * options.shift * height;
  const double cosine = std::cos(angle);
  const double sine = std::sin(angle);
  const double scale_x = frame.width / width;
  const double scale_y = frame.height / height;
  return {.xx = scale_x * flip * (cosine + shear * sine) / (zoom * aspect),
          .xy = scale_x * flip * (shear * cosine - sine) / (zoom * aspect),
          .yx = scale_y * sine / zoom * aspect,
          .yy = scale_y * cosine / zoom * aspect,
          .from_x = (width - 1) / 2.0 + shift_x,
          .from_y = (height - 1) / 2.0 + shift_y,
          .to_x = frame.x + frame.width / 2 - 0.5,
          .to_y = frame.y + frame.height / 2 - 0.5};
}

/// What lies beyond the film: its own rim drawn on, or one gray level.
struct Beyond {
  bool replicate = false;
  float level = 0;
};

/// Labels, which have nothing between them.
std::vector<std::uint8_t> sample_labels(const TrainingPicture& picture, const Warp& warp, int width,
                                        int height) {
  std::vector<std::uint8_t> out;
  out.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double dx = x - warp.from_x;
      const double dy = y - warp.from_y;
      const auto sx = std::lround(warp.xx * dx + warp.xy * dy + warp.to_x);
      const auto sy = std::lround(warp.yx * dx + warp.yy * dy + warp.to_y);
      const bool inside = sx >= 0 && sy >= 0 && sx < picture.width && sy < picture.height;
      out.push_back(inside ? picture.zones[static_cast<std::size_t>(sy * picture.width + sx)] : 0);
    }
  }
  return out;
}

Plane sample(const TrainingPicture& picture, const std::vector<std::uint8_t>& pixels, const Warp& warp,
             int width, int height, const Beyond& beyond) {
  const int last_x = picture.width - 1;
  const int last_y = picture.height - 1;
  const auto pixel = [&](int x, int y) {
    if (x < 0 || y < 0 || x > last_x || y > last_y) {
      if (!beyond.replicate) return beyond.level;
      x = std::clamp(x, 0, last_x);
      y = std::clamp(y, 0, last_y);
    }
    return static_cast<float>(pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(picture.width) +
                                     static_cast<std::size_t>(x)]);
  };
  Plane out{width, height,
            std::vector<float>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height))};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double dx = x - warp.from_x;
      const double dy = y - warp.from_y;
      const double sx = warp.xx * dx + warp.xy * dy + warp.to_x;
      const double sy = warp.yx * dx + warp.yy * dy + warp.to_y;
      const int x0 = static_cast<int>(std::floor(sx));
      const int y0 = static_cast<int>(std::floor(sy));
      const auto fx = static_cast<float>(sx - x0);
      const auto fy = static_cast<float>(sy - y0);
      const float top = pixel(x0, y0) * (1 - fx) + pixel(x0 + 1, y0) * fx;
      const float bottom = pixel(x0, y0 + 1) * (1 - fx) + pixel(x0 + 1, y0 + 1) * fx;
      at(out, x, y) = top * (1 - fy) + bottom * fy;
    }
  }
  return out;
}

/// One to four soft clouds, or one that fills half a film, laid over the lungs as
/// consolidation is: bright, its inside nearly flat, its rim fading over some distance.
void draw_opacities(Plane& plane, const Plane& mask, Random& random) {
  const int clouds = 1 + static_cast<int>(random.below(4));
  for (int cloud = 0; cloud < clouds; ++cloud) {
    const double x0 = random.uniform() * plane.width;
    const double y0 = random.uniform() * plane.height;
    const double radius_x = random.uniform(0.08, 0.4) * plane.width;
    const double radius_y = random.uniform(0.08, 0.5) * plane.height;
    const double white = random.uniform(150, 235);
    const double density = random.uniform(0.4, 1.0);
    const double softness = random.uniform(0.3, 1.0);
    for (int y = 0; y < plane.height; ++y) {
      for (int x = 0; x < plane.width; ++x) {
        const double distance = std::hypot((x - x0) / radius_x, (y - y0) / radius_y);
        if (distance >= 1) continue;
        const double inside =
            std::min(1.0, (1 - distance) / softness) * density * static_cast<double>(at(mask, x, y)) / 255;
        float& value = at(plane, x, y);
        value += static_cast<float>(inside * std::max(0.0, white - static_cast<double>(value)));
      }
    }
  }
}

/// Exposure and window: gamma, a monotone curve through three random points, clipping.
void tone(Plane& plane, const AugmentOptions& options, Random& random) {
  constexpr std::size_t kLevels = 256;
  std::array<float, kLevels> table{};
  const double gamma = std::exp(random.uniform(-1, 1) * options.gamma);
  std::array<double, 5> knots{0, 0.25, 0.5, 0.75, 1};
  if (chance(random, options.tone_curve)) {
    for (std::size_t i = 1; i < 4; ++i) knots[i] += random.uniform(-0.1, 0.1);
  }
  double low = 0;
  double high = 1;
  if (chance(random, options.clip)) {
    low = random.uniform(0, 0.15);
    high = random.uniform(0.8, 1);
  }
  for (std::size_t level = 0; level < kLevels; ++level) {
    double v = std::pow(static_cast<double>(level) / 255, gamma);
    const double position = v * 4;
    const auto knot = std::min<std::size_t>(static_cast<std::size_t>(position), 3);
    v = knots[knot] + (knots[knot + 1] - knots[knot]) * (position - static_cast<double>(knot));
    table[level] = static_cast<float>(255 * std::clamp((v - low) / (high - low), 0.0, 1.0));
  }
  for (float& value : plane.values) {
    const float position = std::clamp(value, 0.0F, 254.999F);
    const auto level = static_cast<std::size_t>(position);
    const float fraction = position - static_cast<float>(level);
    value = table[level] * (1 - fraction) + table[level + 1] * fraction;
  }
}

/// What scanners, archives and exports do: coarser grids, sharpening, grain, JPEG.
void degrade(Plane& plane, const AugmentOptions& options, Random& random) {
  if (chance(random, options.resample)) {
    const double scale = random.uniform(0.4, 0.9);
    const Plane small = resize(to_image(plane), std::max(1, static_cast<int>(plane.width * scale)),
                               std::max(1, static_cast<int>(plane.height * scale)));
    plane = resize(to_image(small), plane.width, plane.height);
  }
  if (chance(random, options.blur)) smooth(plane, 1 + static_cast<int>(random.below(3)));
  if (chance(random, options.sharpen)) {
    Plane blurred = plane;
    smooth(blurred, 2);
    const auto amount = static_cast<float>(random.uniform(0.3, 1.2));
    for (std::size_t i = 0; i < plane.values.size(); ++i)
      plane.values[i] += amount * (plane.values[i] - blurred.values[i]);
  }
  if (chance(random, options.noise)) {
    // Two uniform numbers are near enough to film grain and cost no logarithm.
    const double strength = random.uniform(1, 12);
    for (float& value : plane.values)
      value += static_cast<float>(strength * 1.22 * (random.uniform() + random.uniform() - 1));
  }
  if (chance(random, options.jpeg)) plane = recompress(plane, 20 + static_cast<int>(random.below(61)));
}

/// One to three words of made-up glyphs (three to five strokes on a 3 x 4 grid) near
/// the rim, bright or dark, sometimes on a plate, as markers and exposure data are.
void draw_markers(Plane& plane, Random& random) {
  const int words = 1 + static_cast<int>(random.below(3));
  for (int word = 0; word < words; ++word) {
    const double size = random.uniform(0.025, 0.09) * plane.height;
    const int letters = 1 + static_cast<int>(random.below(size > 0.05 * plane.height ? 2 : 9));
    const double width = letters * size * 0.8;
    // Along one of the four rims, at most a quarter inside.
    const double along = random.uniform();
    const double depth = random.uniform(0.01, 0.22);
    const double x_room = plane.width - width;
    const double y_room = plane.height - size;
    double x = along * x_room;
    double y = depth * y_room;
    switch (random.below(4)) {
      case 0:
        break;
      case 1:
        y = (1 - depth) * y_room;
        break;
      case 2:
        x = depth * x_room;
        y = along * y_room;
        break;
      default:
        x = (1 - depth) * x_room;
        y = along * y_room;
        break;
    }
    const bool bright = chance(random, 0.8);
    const auto ink = static_cast<float>(bright ? random.uniform(190, 255) : random.uniform(0, 40));
    if (chance(random, 0.2)) {
      const auto plate = static_cast<float>(bright ? random.uniform(0, 60) : random.uniform(180, 255));
      fill_box(plane, static_cast<int>(x - 2), static_cast<int>(y - 2), static_cast<int>(width + 4),
               static_cast<int>(size + 4), plate);
    }
    const int thick = std::max(1, static_cast<int>(size * 0.12));
    for (int letter = 0; letter < letters; ++letter) {
      const double left = x + letter * size * 0.8;
      const int strokes = 3 + static_cast<int>(random.below(3));
      for (int i = 0; i < strokes; ++i) {
        const auto grid = [&](std::uint64_t cells, double from, double extent) {
          return from + static_cast<double>(random.below(cells)) / static_cast<double>(cells - 1) * extent;
        };
        const double x0 = grid(3, left, size * 0.5);
        const double y0 = grid(4, y, size);
        const double x1 = grid(3, left, size * 0.5);
        const double y1 = grid(4, y, size);
        stroke(plane, x0, y0, x1, y1, thick, ink);
      }
    }
  }
}

void hide_corners(Plane& plane, Random& random) {
  const float average = mean_level(plane);
  for (int corner = 0; corner < 4; ++corner) {
    if (!chance(random, 0.5)) continue;
    const int width = static_cast<int>(random.uniform(0.06, 0.3) * plane.width);
    const int height = static_cast<int>(random.uniform(0.04, 0.22) * plane.height);
    const float value = chance(random, 0.5) ? 0.0F : average;
    fill_box(plane, corner % 2 == 0 ? 0 : plane.width - width, corner < 2 ? 0 : plane.height - height, width,
             height, value);
  }
  if (chance(random, 0.3)) {
    const int height = static_cast<int>(random.uniform(0.03, 0.12) * plane.height);
    fill_box(plane, 0, chance(random, 0.5) ? 0 : plane.height - height, plane.width, height,
             chance(random, 0.5) ? 0.0F : average);
  }
}

void draw_border(Plane& plane, Random& random) {
  const auto value =
      static_cast<float>(chance(random, 0.75) ? random.uniform(0, 20) : random.uniform(200, 255));
  const auto side = [&](int extent) { return static_cast<int>(random.uniform(0, 0.09) * extent); };
  const int left = side(plane.width);
  const int right = side(plane.width);
  const int top = side(plane.height);
  const int bottom = side(plane.height);
  fill_box(plane, 0, 0, left, plane.height, value);
  fill_box(plane, plane.width - right, 0, right, plane.height, value);
  fill_box(plane, 0, 0, plane.width, top, value);
  fill_box(plane, 0, plane.height - bottom, plane.width, bottom, value);
}

/// Leaves the lungs alone on an even ground, their edge running out softly.
void hide_surroundings(Plane& plane, const Plane& mask, Random& random) {
  Plane shown = mask;
  smooth(shown, 2 + static_cast<int>(random.below(4)));
  const auto ground = static_cast<float>(random.uniform(40, 220));
  for (std::size_t i = 0; i < plane.values.size(); ++i) {
    // Half way at the edge becomes all: what lies beside the lungs' rim stays in sight.
    const float share = std::min(1.0F, shown.values[i] * (2.0F / 255));
    plane.values[i] = ground + share * (plane.values[i] - ground);
  }
}

void erase(Plane& plane, Random& random) {
  const int boxes = 1 + static_cast<int>(random.below(3));
  const float average = mean_level(plane);
  for (int i = 0; i < boxes; ++i) {
    const int width = static_cast<int>(random.uniform(0.06, 0.28) * plane.width);
    const int height = static_cast<int>(random.uniform(0.06, 0.28) * plane.height);
    const int x = static_cast<int>(random.below(static_cast<std::uint64_t>(plane.width - width)));
    const int y = static_cast<int>(random.below(static_cast<std::uint64_t>(plane.height - height)));
    fill_box(plane, x, y, width, height,
             chance(random, 0.5) ? average : static_cast<float>(random.uniform(0, 255)));
  }
}

}  // namespace

AugmentOptions no_augmentation() {
  return {.rotate_degrees = 0,
          .shear = 0,
          .shift = 0,
          .zoom_in = 1,
          .zoom_out = 1,
          .aspect = 0,
          .flip = 0,
          .gamma = 0,
          .tone_curve = 0,
          .clip = 0,
          .blur = 0,
          .sharpen = 0,
          .resample = 0,
          .noise = 0,
          .jpeg = 0,
          .markers = 0,
          .hide_corners = 0,
          .border = 0,
          .erase = 0};
}

Augmented augment(const TrainingPicture& picture, int width, int height, const AugmentOptions& options,
                  Random& random) {
  const Warp warp = draw_warp(picture.frame, width, height, options, random);
  const double beyond = random.uniform();
  const Beyond outside{beyond < 0.4, static_cast<float>(beyond < 0.8 ? 0 : random.uniform(0, 255))};
  Augmented out{
      .picture = sample(picture, picture.pixels, warp, width, height, outside), .mask = {}, .opacity = {}};
  Plane& plane = out.picture;
  if (!picture.mask.empty()) {
    out.mask = sample(picture, picture.mask, warp, width, height, {});
    if (chance(random, options.opacity)) draw_opacities(plane, out.mask, random);
    if (picture.target == 0 && chance(random, options.consolidation)) {
      out.opacity = draw_lesions(plane, out.mask, random);
      out.consolidated = true;
    }
  }
  if (!picture.zones.empty()) out.zones = sample_labels(picture, warp, width, height);
  tone(plane, options, random);
  if (!picture.mask.empty() && chance(random, options.surroundings))
    hide_surroundings(plane, out.mask, random);
  // Dress goes on before the degradations, as in a film that was scanned with it.
  if (chance(random, options.hide_corners)) hide_corners(plane, random);
  if (chance(random, options.border)) draw_border(plane, random);
  if (chance(random, options.markers)) draw_markers(plane, random);
  degrade(plane, options, random);
  if (chance(random, options.erase)) erase(plane, random);
  for (float& value : plane.values) value = std::clamp(value, 0.0F, 255.0F);
  return out;
}

}  // namespace xray
