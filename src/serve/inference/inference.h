#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/result.h"
#include "serve/inference/tensor.h"
#include "serve/models/model_set.h"

namespace xray {

/// What a tensor of a model is called and looks like; -1 in `shape` for any size.
struct TensorSpec {
  std::string name;
  DataType type;
  std::vector<std::int64_t> shape;
};

/// What every model takes, one of them in a request:
///   image   BYTES [-1]              encoded pictures, JPEG or PNG; [-1, 1] too
///   pixels  UINT8 [-1, -1, -1, -1]  gray levels (see PixelTensor), other types and
///                                   [-1, -1, -1] too
std::span<const TensorSpec> input_specs();

/// What every model gives, a row per picture, all of shape [-1, 1]:
///   normal     FP32   calibrated probability, 0..1
///   pneumonia  FP32   1 - normal
///   verdict    BYTES  "normal", "pneumonia", "uncertain", "rejected"
///   finding    BYTES  to_json(Finding): reasons, severity, all that is known
/// Where the verdict is "rejected" nothing was judged: normal and pneumonia are
/// NaN, so that every comparison with a threshold fails.
std::span<const TensorSpec> output_specs();

/// What one request may ask for.
struct InferenceLimits {
  std::size_t max_pictures = 64;
};

/// Tensors in, findings out as tensors: the one function behind all inference
/// protocols. Immutable, so thread-safe.
class Inference {
 public:
  /// `models` outlives the object.
  explicit Inference(const ModelSet& models, const InferenceLimits& limits = {})
      : models_(models), limits_(limits) {}

  const ModelSet& models() const { return models_; }
  const InferenceLimits& limits() const { return limits_; }

  /// The outputs named in `wanted`, in that order; all where it is empty. Every picture
  /// is told to the observers of the ModelSet. Blocks for some milliseconds per
  /// picture, and gives up with kCancelled before the next one once `abandoned`.
  ///
  /// The request fails as a whole, with the picture named, where one of its pictures
  /// cannot be read: codes of decode_image(). kInvalidArgument for tensors that are
  /// unknown, missing or of another shape or type; kTooLarge for too many pictures;
  /// kUnsupported for a type of pixels that is not read.
  Result<std::vector<OutputTensor>> infer(const ServedModel& model, std::span<const InputTensor> inputs,
                                          std::span<const std::string> wanted = {},
                                          const std::stop_token& abandoned = {}) const;

 private:
  Result<std::vector<Finding>> read_images(const ServedModel& model, const InputTensor& tensor,
                                           const std::stop_token& abandoned) const;
  Result<std::vector<Finding>> read_pixels(const ServedModel& model, const InputTensor& tensor,
                                           const std::stop_token& abandoned) const;
  Result<Done> check_count(std::uint64_t pictures) const;

  const ModelSet& models_;
  InferenceLimits limits_;
};

}  // namespace xray
