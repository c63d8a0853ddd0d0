#include "train/picture_set.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/file.h"
#include "common/parallel.h"
#include "image/decode.h"

namespace xray {

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

Result<PictureSet> load_pictures(const std::vector<Sample>& samples, int classes,
                                 const Preprocessor& preprocessor, int threads,
                                 const std::function<void()>& on_picture, const std::stop_token& stop) {
  const InputSpec& spec = preprocessor.spec();
  const auto load = [&](std::size_t i) -> Result<TrainingPicture> {
    TrainingPicture picture{.target = class_of(samples[i], classes)};
    if (picture.target < 0) return picture;
    const Result<Bytes> bytes = read_file(samples[i].path, DecodeLimits{}.max_bytes);
    if (!bytes) return bytes.error();
    const Result<Image> image = decode_image(*bytes, {}, preprocessor.decode_size());
    if (!image) return image.error();
    const Image resized = to_image(resize(*image, spec.width, spec.height));
    picture.pixels.assign(resized.pixels8().begin(), resized.pixels8().end());
    return picture;
  };

  constexpr std::size_t kWindow = 64;
  PictureSet set;
  const bool finished = parallel_ordered(
      samples.size(), threads, kWindow, load,
      [&](std::size_t i, Result<TrainingPicture> picture) {
        if (on_picture) on_picture();
        if (!picture) {
          set.unreadable.push_back(samples[i].path.string() + ": " + picture.error().message);
        } else if (picture->target >= 0) {
          set.pictures.push_back(std::move(*picture));
          set.sample_index.push_back(i);
        }
      },
      stop);
  if (!finished) return Error{ErrorCode::kCancelled, "stopped while reading pictures"};
  return set;
}

}  // namespace xray
