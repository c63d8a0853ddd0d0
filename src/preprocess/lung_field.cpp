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

/// Cells of lung side by side in one row, begin to end - 1.
struct Run {
  int row = 0;
  int begin = 0;
  int end = 0;
  std::size_t parent = 0;  ///< a run of the same part that comes earlier; itself for the first
};

std::size_t first_of(std::vector<Run>& runs, std::size_t run) {
  while (runs[run].parent != run) {
    runs[run].parent = runs[runs[run].parent].parent;
    run = runs[run].parent;
  }
  return run;
}

/// The runs of all rows, each row's joined to those that they touch in the row above.
std::vector<Run> find_runs(const LungField& lungs) {
  std::vector<Run> runs;
  std::size_t above = 0;
  for (int y = 0; y < lungs.height; ++y) {
    const std::size_t row_begin = runs.size();
    const float* const row = &lungs.probability[cell_at(0, y, lungs.width)];
    for (int x = 0; x < lungs.width; ++x) {
      if (row[x] <= kInLung) continue;
      const int begin = x;
      while (x < lungs.width && row[x] > kInLung) ++x;
      const std::size_t run = runs.size();
      runs.push_back({y, begin, x, run});
      while (above < row_begin && runs[above].end <= begin) ++above;
      for (std::size_t other = above; other < row_begin && runs[other].begin < x; ++other) {
        const std::size_t a = first_of(runs, other);
        const std::size_t b = first_of(runs, run);
        runs[std::max(a, b)].parent = std::min(a, b);
      }
    }
    above = row_begin;
  }
  return runs;
}

/// Connected parts, largest first. `part`, where given, gets for each cell the number of its
/// part in the order found (Field::id), -1 outside.
std::vector<Field> find_fields(const LungField& lungs, std::vector<int>* part = nullptr) {
  if (part != nullptr) part->assign(lungs.probability.size(), -1);
  std::vector<Run> runs = find_runs(lungs);
  std::vector<std::size_t> field_of(runs.size());
  std::vector<Field> fields;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const std::size_t first = first_of(runs, i);
    if (first == i) {
      field_of[i] = fields.size();
      fields.push_back({.left = lungs.width,
                        .right = -1,
                        .top = run.row,
                        .bottom = -1,
                        .id = static_cast<int>(fields.size())});
    } else {
      field_of[i] = field_of[first];
    }
    Field& field = fields[field_of[i]];
    const int length = run.end - run.begin;
    field.cells += static_cast<std::size_t>(length);
    field.centre_x += length * (run.begin + run.end - 1) / 2.0;
    field.left = std::min(field.left, run.begin);
    field.right = std::max(field.right, run.end - 1);
    field.bottom = std::max(field.bottom, run.row);
    if (part != nullptr) std::fill_n(&(*part)[cell_at(run.begin, run.row, lungs.width)], length, field.id);
  }
  for (Field& field : fields) field.centre_x /= static_cast<double>(field.cells);
  std::sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.cells > b.cells; });
  return fields;
}

/// Those of find_fields() that are large enough for a lung.
std::vector<Field> large_fields(const LungField& lungs, std::vector<int>* part = nullptr) {
  const auto cells = static_cast<double>(lungs.probability.size());
  std::vector<Field> fields = find_fields(lungs, part);
  std::erase_if(fields,
                [&](const Field& f) { return static_cast<double>(f.cells) < kSmallestField * cells; });
  return fields;
}

/// How frequent each gray level is inside the lungs.
std::array<double, 256> gray_in_lungs(const Image& film, const LungField& field) {
  // Neighbours are often alike, and a count has to wait for the one before: so two tables take turns.
  std::array<std::array<std::uint32_t, 256>, 2> counts{};
  const auto pixels = film.pixels8();
  // The first pixel of `length` that lies in `cell` of `cells` or behind.
  const auto first = [](int cell, int length, int cells) { return (cell * length + cells - 1) / cells; };
  for (const Run& run : find_runs(field)) {
    const int left = first(run.begin, film.width(), field.width);
    const int right = first(run.end, film.width(), field.width);
    const int bottom = first(run.row + 1, film.height(), field.height);
    for (int y = first(run.row, film.height(), field.height); y < bottom; ++y) {
      const std::uint8_t* const line = &pixels[cell_at(0, y, film.width())];
      int x = left;
      for (; x + 1 < right; x += 2) {
        ++counts[0][line[x]];
        ++counts[1][line[x + 1]];
      }
      if (x < right) ++counts[0][line[x]];
    }
  }
  std::array<double, 256> histogram{};
  for (std::size_t level = 0; level < histogram.size(); ++level)
    histogram[level] = counts[0][level] + counts[1][level];
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
  const std::vector<Field> fields = large_fields(field);
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
  std::vector<Field> fields = large_fields(field, &part);
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
