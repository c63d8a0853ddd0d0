#include "train/picture_set.h"

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "common/grid.h"
#include "common/parallel.h"
#include "image/decode.h"
#include "preprocess/lung_zones.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Pictures in the order of their samples; those with a target of -1 are passed over.
template <typename Load, typename Path>
Result<PictureSet> collect(std::size_t count, int threads, const Load& load, const Path& path,
                           const std::function<void()>& on_picture, const std::stop_token& stop) {
  constexpr std::size_t kWindow = 64;
  PictureSet set;
  const bool finished = parallel_ordered(
      count, threads, kWindow, load,
      [&](std::size_t i, Result<TrainingPicture> picture) {
        if (on_picture) on_picture();
        if (!picture) {
          set.unreadable.push_back(path(i) + ": " + picture.error().message);
        } else if (picture->target >= 0) {
          set.pictures.push_back(std::move(*picture));
          set.sample_index.push_back(i);
        }
      },
      stop);
  if (!finished) return Error{ErrorCode::kCancelled, "stopped while reading pictures"};
  return set;
}

std::vector<std::uint8_t> mask_at(const LungField& field, int width, int height) {
  Image::Pixels8 pixels;
  for (const float p : field.probability) pixels.push_back(p > 0.5F ? 255 : 0);
  const Image mask(field.width, field.height, std::move(pixels));
  const Image resized = to_image(resize(mask, width, height));
  return {resized.pixels8().begin(), resized.pixels8().end()};
}

std::vector<std::uint8_t> zones_at(const LungField& field, int width, int height) {
  const ZoneMap zones = zones_of(field);
  std::vector<std::uint8_t> labels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      labels.push_back(zones.zone[cell_at(x * zones.width / width, y * zones.height / height, zones.width)]);
  return labels;
}

}  // namespace

std::vector<std::string> class_names(int classes) {
  if (classes == 3) return {"normal", "bacterial", "viral"};
  return {"normal", "pneumonia"};
}

int class_of(const Sample& sample, int classes) {
  if (sample.label == Label::kNormal) return 0;
  if (classes == 2) return 1;
  switch (sample.subtype) {
    case Subtype::kBacterial:
      return 1;
    case Subtype::kViral:
      return 2;
    case Subtype::kNone:
    case Subtype::kUnknown:
      return -1;
  }
  return -1;
}

TrainingPicture whole_picture(const Image& image, int target) {
  return {.width = image.width(),
          .height = image.height(),
          .pixels = {image.pixels8().begin(), image.pixels8().end()},
          .frame = {0, 0, static_cast<double>(image.width()), static_cast<double>(image.height())},
          .target = target};
}

Result<PictureSet> load_pictures(const std::vector<Sample>& samples, int classes,
                                 const Preprocessor& preprocessor, const LungUse& lungs, int threads,
                                 const std::function<void()>& on_picture, const std::stop_token& stop) {
  const InputSpec& spec = preprocessor.spec();
  const auto load = [&](std::size_t i) -> Result<TrainingPicture> {
    const int target = class_of(samples[i], classes);
    if (target < 0) return TrainingPicture{.target = target};
    const Result<Image> image = read_image(samples[i].path, {}, preprocessor.decode_size());
    if (!image) return image.error();
    if (spec.framing == Framing::kFilm && !lungs.hide)
      return whole_picture(to_image(resize(*image, spec.width, spec.height)), target);
    const Result<Image> film = standard_film(*image);
    if (!film) return film.error();
    const Result<LungField> field = lungs.finder->find(*film);
    if (!field) return field.error();
    if (lungs.hide) {
      const Result<Image> hidden = hide_lungs(*film, *field, spec.margin);
      if (!hidden) return hidden.error();
      return whole_picture(to_image(resize(*hidden, spec.width, spec.height)), target);
    }
    const Result<LungView> view = view_lungs(*film, *field, spec.margin, spec.tone);
    if (!view) return view.error();
    TrainingPicture picture = whole_picture(view->film, target);
    picture.frame = view->frame;
    if (lungs.masks) picture.mask = mask_at(*field, view->film.width(), view->film.height());
    if (lungs.zones) picture.zones = zones_at(*field, view->film.width(), view->film.height());
    return picture;
  };
  const auto path = [&](std::size_t i) { return samples[i].path.string(); };
  return collect(samples.size(), threads, load, path, on_picture, stop);
}

Result<std::vector<LungSample>> find_lung_samples(const fs::path& films, const fs::path& masks) {
  for (const fs::path& folder : {films, masks}) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
      return Error{ErrorCode::kNotFound, folder.string() + ": no such folder"};
  }
  // By path without ending: a film is often JPEG where its mask is PNG.
  std::map<std::string, fs::path> mask_of;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(masks)) {
    if (!entry.is_regular_file()) continue;
    fs::path key = fs::relative(entry.path(), masks);
    mask_of.emplace(key.replace_extension().generic_string(), entry.path());
  }
  std::vector<LungSample> samples;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(films)) {
    if (!entry.is_regular_file()) continue;
    fs::path key = fs::relative(entry.path(), films);
    const auto mask = mask_of.find(key.replace_extension().generic_string());
    if (mask == mask_of.end()) continue;
    const std::string stem = key.filename().string();
    const std::string group =
        key.has_parent_path() ? key.parent_path().generic_string() : stem.substr(0, stem.find('_'));
    samples.push_back({entry.path(), mask->second, group, group + ":" + patient_of(entry.path())});
  }
  if (samples.empty())
    return Error{ErrorCode::kInvalidArgument,
                 films.string() + ": no picture has a mask in " + masks.string()};
  std::sort(samples.begin(), samples.end(),
            [](const LungSample& a, const LungSample& b) { return a.film < b.film; });
  return samples;
}

Result<PictureSet> load_lung_pictures(const std::vector<LungSample>& samples,
                                      const Preprocessor& preprocessor, int threads,
                                      const std::function<void()>& on_picture, const std::stop_token& stop) {
  const InputSpec& spec = preprocessor.spec();
  const auto load = [&](std::size_t i) -> Result<TrainingPicture> {
    const Result<Image> film = read_image(samples[i].film);
    if (!film) return film.error();
    const Result<Image> mask = read_image(samples[i].mask);
    if (!mask) return with_context(mask.error(), samples[i].mask.string());
    TrainingPicture picture = whole_picture(to_image(resize(*film, spec.width, spec.height)));
    const Image resized = to_image(resize(*mask, spec.width, spec.height));
    picture.mask.assign(resized.pixels8().begin(), resized.pixels8().end());
    return picture;
  };
  const auto path = [&](std::size_t i) { return samples[i].film.string(); };
  return collect(samples.size(), threads, load, path, on_picture, stop);
}

}  // namespace xray
