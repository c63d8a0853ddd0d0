#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "dataset/dataset.h"
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

/// Reads, decodes and resizes the samples whose class_of() is not -1, on `threads`
/// threads. `on_picture` is called on this thread after each. kCancelled on `stop`.
Result<PictureSet> load_pictures(const std::vector<Sample>& samples, int classes,
                                 const Preprocessor& preprocessor, int threads,
                                 const std::function<void()>& on_picture, const std::stop_token& stop);

}  // namespace xray
