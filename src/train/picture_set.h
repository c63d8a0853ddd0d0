#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "dataset/dataset.h"
#include "infer/lung_finder.h"
#include "preprocess/preprocess.h"
#include "train/batch_loader.h"

namespace xray {

/// Classes in the order of the logits: {"normal", "pneumonia"}, or {"normal",
/// "bacterial", "viral"} where three are wanted.
std::vector<std::string> class_names(int classes);

/// The class a sample is trained as. With three classes, pneumonia whose kind the
/// name does not tell has none: -1.
int class_of(const Sample& sample, int classes);

/// Pictures read into memory for training, and which sample each one came from.
struct PictureSet {
  std::vector<TrainingPicture> pictures;
  std::vector<std::size_t> sample_index;
  std::vector<std::string> unreadable;  ///< "path: reason"
};

/// A film and the mask of its lungs.
struct LungSample {
  std::filesystem::path film;
  std::filesystem::path mask;
  std::string group;  ///< folder below the root, or what the name begins with up to '_'
  std::string patient;
};

/// The pictures below `films` that have a mask below `masks`: the same path there,
/// with any picture's ending. Sorted by path. kNotFound; kInvalidArgument where no
/// film has a mask.
Result<std::vector<LungSample>> find_lung_samples(const std::filesystem::path& films,
                                                  const std::filesystem::path& masks);

/// What a classifier is trained on besides films as they are.
struct LungUse {
  LungFinder* finder = nullptr;  ///< needed where the preprocessor frames by lungs, and for what follows
  bool hide = false;             ///< whole films with the lungs painted over (hide_lungs())
  bool masks = false;            ///< TrainingPicture::mask is wanted
  bool zones = false;            ///< TrainingPicture::zones are wanted
};

/// Reads, decodes and frames the samples whose class_of() is not -1, on `threads`
/// threads. A film whose lungs are asked for and not found counts as unreadable.
/// `on_picture` is called on this thread after each. kCancelled on `stop`.
Result<PictureSet> load_pictures(const std::vector<Sample>& samples, int classes,
                                 const Preprocessor& preprocessor, const LungUse& lungs, int threads,
                                 const std::function<void()>& on_picture, const std::stop_token& stop);

/// Films and masks at the network's input size; PictureSet::sample_index counts the samples.
Result<PictureSet> load_lung_pictures(const std::vector<LungSample>& samples,
                                      const Preprocessor& preprocessor, int threads,
                                      const std::function<void()>& on_picture, const std::stop_token& stop);

/// The whole of an 8-bit picture, to be seen at whatever size it has.
TrainingPicture whole_picture(const Image& image, int target = 0);

}  // namespace xray
