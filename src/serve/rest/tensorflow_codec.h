#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "serve/inference/inference.h"

namespace xray {

/// Signatures of every model: of the encoded pictures, and of those as pixels.
inline constexpr std::string_view kDefaultSignature = "serving_default";
inline constexpr std::string_view kPixelSignature = "pixels";

/// A request to predict as TensorFlow Serving has it over REST.
struct TensorFlowRequest {
  TensorFlowRequest() = default;
  TensorFlowRequest(TensorFlowRequest&&) = default;
  TensorFlowRequest& operator=(TensorFlowRequest&&) = default;

  std::vector<InputTensor> inputs;  ///< one; its elements lie below
  bool in_rows = true;              ///< "instances" came, to be answered by "predictions"

  std::vector<double> numbers;
  std::deque<std::string> strings;
};

/// Reads {"instances": [...]} or {"inputs": ...}, with "signature_name" or without.
/// An instance is {"b64": "..."}, the same under "image" or "image_bytes", an array of
/// pixels, or such an array under "pixels"; inputs hold all instances in one array, under
/// one of these names or none. kInvalidArgument names what is wrong, kNotFound an unknown
/// signature, kTooLarge as parse_request_json().
Result<TensorFlowRequest> read_tensorflow(std::string_view body);

/// {"predictions": [{"normal": [0.1], ...}, ...]} or {"outputs": {"normal": [[0.1], ...], ...}}.
nlohmann::ordered_json write_tensorflow(const TensorFlowRequest& request,
                                        std::span<const OutputTensor> outputs);

}  // namespace xray
