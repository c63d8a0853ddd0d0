#include "preprocess/lung_field.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "common/grid.h"
#include "preprocess/lung_zones.h"

namespace xray {
namespace {

/// The smallest part of a picture that counts as a lung field.
constexpr double kSmallestField = 0.01;
constexpr double kSmallestArea = 0.06;
constexpr double kLargestArea = 0.75;
/// A lung this much smaller than the other is half outside the film, or no lung.
constexpr double kSmallestBalance = 0.25;
/// Lungs whose centres are nearer than this share of both their width are not side by side.
constexpr double kSideBySide = 0.15;
/// Below, there is nothing that could be cropped to.
constexpr double kNoLungs = 0.03;

struct Field {
  std::size_t cells = 0;
  int left = 0;
  int right = 0;
  int top = 0;
  int bottom = 0;
  double centre_x = 0;
  int id = 0;
};

/// Connected parts, largest first. `part`, where given, gets for each cell the number of its
/// part in the order found (Field::id), -1 outside.
std::vector<Field> find_fields(const LungField& lungs, std::vector<int>* part = nullptr) {
  const auto inside = [&](std::size_t cell) { return lungs.probability[cell] > kInLung; };
  std::vector<bool> seen(lungs.probability.size());
  if (part != nullptr) part->assign(seen.size(), -1);
  std::vector<Field> fields;
  std::vector<std::size_t> open;
  const auto width = static_cast<std::size_t>(lungs.width);
  for (std::size_t start = 0; start < seen.size(); ++start) {
    if (seen[start] || !inside(start)) continue;
    Field field{.left = lungs.width,
                .right = -1,
                .top = lungs.height,
                .bottom = -1,
                .id = static_cast<int>(fields.size())};
    const auto visit = [&](std::size_t cell) {
      if (seen[cell] || !inside(cell)) return;
      seen[cell] = true;
      if (part != nullptr) (*part)[cell] = field.id;
      open.push_back(cell);
    };
    visit(start);
    while (!open.empty()) {
      const std::size_t cell = open.back();
      open.pop_back();
      const int x = static_cast<int>(cell % width);
      const int y = static_cast<int>(cell / width);
      ++field.cells;
      field.centre_x += x;
      field.left = std::min(field.left, x);
      field.right = std::max(field.right, x);
      field.top = std::min(field.top, y);
      field.bottom = std::max(field.bottom, y);
      if (x > 0) visit(cell - 1);
      if (x + 1 < lungs.width) visit(cell + 1);
      if (y > 0) visit(cell - width);
      if (y + 1 < lungs.height) visit(cell + width);
    }
    field.centre_x /= static_cast<double>(field.cells);
    fields.push_back(field);
  }
  std::sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.cells > b.cells; });
  return fields;
}

/// How frequent each gray level is inside the lungs.
std::array<double, 256> gray_in_lungs(const Image& film, const LungField& field) {
  std::array<double, 256> histogram{};
  const auto pixels = film.pixels8();
  for (int y = 0; y < film.height(); ++y) {
    const int row = y * field.height / film.height();
    for (int x = 0; x < film.width(); ++x) {
      if (field.probability[cell_at(x * field.width / film.width(), row, field.width)] <= kInLung) continue;
      histogram[pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(film.width()) +
                       static_cast<std::size_t>(x)]] += 1;
    }
  }
  return histogram;
}

/// The level that a share `share` of the histogram stays below, between the edges of a
/// level too, so that narrow ranges are not cut to steps.
double quantile(const std::array<double, 256>& histogram, double share) {
  const double wanted = share * std::accumulate(histogram.begin(), histogram.end(), 0.0);
  double below = 0;
  for (std::size_t level = 0; level < histogram.size(); ++level) {
    if (below + histogram[level] >= wanted && histogram[level] > 0)
      return static_cast<double>(level) + (wanted - below) / histogram[level] - 0.5;
    below += histogram[level];
  }
  return 255.0;
}

/// What each gray level becomes.
std::array<std::uint8_t, 256> tone_curve(const std::array<double, 256>& histogram, Tone tone) {
  const double low = quantile(histogram, 0.01);
  const double high = quantile(histogram, 0.99);
  const double range = std::max(high - low, 1.0);
  const double total = std::max(std::accumulate(histogram.begin(), histogram.end(), 0.0), 1.0);
  std::array<std::uint8_t, 256> curve{};
  double below = 0;
  for (std::size_t level = 0; level < curve.size(); ++level) {
    const double straight = (static_cast<double>(level) - low) / range;
    double share = straight;
    // Outside what lungs show, both curves are one.
    if (tone == Tone::kEqualise && straight > 0 && straight < 1)
      share = ((below + histogram[level] / 2) / total - 0.01) / 0.98;
    below += histogram[level];
    curve[level] = static_cast<std::uint8_t>(
        std::lround(255 * std::clamp(share * (1 - 2 * kStretchRoom) + kStretchRoom, 0.0, 1.0)));
  }
  return curve;
}

/// The box of the lungs and `margin` of its size on each side, cut at the film's rim, in pixels.
Frame frame_of(const LungShape& shape, const Image& film, double margin) {
  const double spread_x = margin * (shape.right - shape.left);
  const double spread_y = margin * (shape.bottom - shape.top);
  const double left = std::max(0.0, shape.left - spread_x) * film.width();
  const double top = std::max(0.0, shape.top - spread_y) * film.height();
  const double right = std::min(1.0, shape.right + spread_x) * film.width();
  const double bottom = std::min(1.0, shape.bottom + spread_y) * film.height();
  return {left, top, right - left, bottom - top};
}

Error no_lungs() {
  return {ErrorCode::kUnusable, "no lungs can be made out in the picture"};
}

}  // namespace

std::vector<bool> lung_pixels(const LungField& field, int width, int height) {
  std::vector<bool> lung;
  lung.reserve(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      lung.push_back(is_lung(field, x * field.width / width, y * field.height / height));
  return lung;
}

std::vector<std::size_t> part_sizes(const LungField& field) {
  std::vector<std::size_t> sizes;
  for (const Field& part : find_fields(field)) sizes.push_back(part.cells);
  return sizes;
}

LungShape measure_lungs(const LungField& field) {
  LungShape shape;
  const auto cells = static_cast<double>(field.probability.size());
  std::vector<Field> fields = find_fields(field);
  std::erase_if(fields,
                [&](const Field& f) { return static_cast<double>(f.cells) < kSmallestField * cells; });
  shape.fields = static_cast<int>(fields.size());
  if (fields.empty()) {
    shape.doubt = "no lungs can be made out";
    return shape;
  }
  int left = field.width;
  int right = -1;
  int top = field.height;
  int bottom = -1;
  for (const Field& f : fields) {
    left = std::min(left, f.left);
    right = std::max(right, f.right);
    top = std::min(top, f.top);
    bottom = std::max(bottom, f.bottom);
    shape.area += static_cast<double>(f.cells) / cells;
  }
  shape.left = static_cast<double>(left) / field.width;
  shape.right = static_cast<double>(right + 1) / field.width;
  shape.top = static_cast<double>(top) / field.height;
  shape.bottom = static_cast<double>(bottom + 1) / field.height;
  if (fields.size() > 1)
    shape.balance = static_cast<double>(fields[1].cells) / static_cast<double>(fields[0].cells);

  // Lungs that touch are one field, as wide as two.
  const bool touching = fields.size() == 1 && fields[0].right - fields[0].left > field.width / 3;
  if (shape.area < kSmallestArea) {
    shape.doubt = "the lungs take up hardly any of the picture";
  } else if (shape.area > kLargestArea) {
    shape.doubt = "the lungs take up nearly the whole picture";
  } else if (fields.size() == 1 && !touching) {
    shape.doubt = "only one lung can be made out";
  } else if (fields.size() > 1 && shape.balance < kSmallestBalance && !touching) {
    shape.doubt = "one lung is much smaller than the other";
  } else if (fields.size() > 1 &&
             std::abs(fields[0].centre_x - fields[1].centre_x) < kSideBySide * (right - left)) {
    shape.doubt = "the lungs do not lie side by side";
  }
  return shape;
}

LungPicture judge_picture(const Image& film, const LungField& field) {
  const std::array<double, 256> histogram = gray_in_lungs(film, field);
  const double pixels = std::accumulate(histogram.begin(), histogram.end(), 0.0);
  double cells = 0;
  double rim = 0;
  for (int y = 0; y < field.height; ++y) {
    for (int x = 0; x < field.width; ++x) {
      if (!is_lung(field, x, y)) continue;
      ++cells;
      if (x == 0 || y == 0 || x + 1 == field.width || y + 1 == field.height) ++rim;
    }
  }
  if (pixels <= 0 || cells <= 0) return {};
  return {.range = quantile(histogram, 0.99) - quantile(histogram, 0.01),
          .clipped = (histogram.front() + histogram.back()) / pixels,
          .cut = rim / std::sqrt(cells)};
}

Result<LungView> view_lungs(const Image& film, const LungField& field, double margin, Tone tone) {
  const LungShape shape = measure_lungs(field);
  if (shape.area < kNoLungs) return no_lungs();
  const std::array<std::uint8_t, 256> curve = tone_curve(gray_in_lungs(film, field), tone);
  Image::Pixels8 pixels(film.pixels8().begin(), film.pixels8().end());
  for (std::uint8_t& pixel : pixels) pixel = curve[pixel];

  return LungView{.film = Image(film.width(), film.height(), std::move(pixels)),
                  .frame = frame_of(shape, film, margin)};
}

ZoneMap zones_of(const LungField& field) {
  std::vector<int> part;
  std::vector<Field> fields = find_fields(field, &part);
  const auto cells = static_cast<double>(field.probability.size());
  std::erase_if(fields,
                [&](const Field& f) { return static_cast<double>(f.cells) < kSmallestField * cells; });
  ZoneMap zones{field.width, field.height, std::vector<std::uint8_t>(field.probability.size())};
  if (fields.empty()) return zones;
  if (fields.size() > 2) fields.resize(2);
  int left = field.width;
  int right = 0;
  for (const Field& f : fields) {
    left = std::min(left, f.left);
    right = std::max(right, f.right + 1);
  }
  // Which lung each part is; both sides of the middle where parts do not lie side by side.
  const bool apart =
      fields.size() == 2 && std::abs(fields[0].centre_x - fields[1].centre_x) > kSideBySide * (right - left);
  const double middle = (left + right) / 2.0;
  const auto lung_of = [&](int id, int x) -> int {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].id != id) continue;
      if (!apart) return x < middle ? 0 : 1;
      return fields[i].centre_x < fields[1 - i].centre_x ? 0 : 1;
    }
    return -1;
  };
  std::array<int, 2> top{field.height, field.height};
  std::array<int, 2> bottom{0, 0};
  std::vector<int> lung(part.size(), -1);
  for (int y = 0; y < field.height; ++y) {
    for (int x = 0; x < field.width; ++x) {
      const std::size_t cell = cell_at(x, y, field.width);
      if (part[cell] < 0) continue;
      lung[cell] = lung_of(part[cell], x);
      if (lung[cell] < 0) continue;
      const auto side = static_cast<std::size_t>(lung[cell]);
      top[side] = std::min(top[side], y);
      bottom[side] = std::max(bottom[side], y + 1);
    }
  }
  for (std::size_t cell = 0; cell < lung.size(); ++cell) {
    if (lung[cell] < 0) continue;
    const auto side = static_cast<std::size_t>(lung[cell]);
    const int y = static_cast<int>(cell) / field.width;
    const int third = std::min(2, (y - top[side]) * 3 / (bottom[side] - top[side]));
    zones.zone[cell] = static_cast<std::uint8_t>(1 + 3 * lung[cell] + third);
  }
  return zones;
}

Result<Image> hide_lungs(const Image& film, const LungField& field, double margin) {
  constexpr std::uint8_t kMiddleGray = 128;
  const LungShape shape = measure_lungs(field);
  if (shape.area < kNoLungs) return no_lungs();
  const Frame box = frame_of(shape, film, margin);
  Image::Pixels8 pixels(film.pixels8().begin(), film.pixels8().end());
  for (int y = static_cast<int>(box.y); y < static_cast<int>(box.y + box.height); ++y)
    for (int x = static_cast<int>(box.x); x < static_cast<int>(box.x + box.width); ++x)
      pixels[cell_at(x, y, film.width())] = kMiddleGray;
  return Image(film.width(), film.height(), std::move(pixels));
}

}  // namespace xray
