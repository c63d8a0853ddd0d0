#pragma once

#include <cstddef>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/file.h"
#include "common/result.h"
#include "serve/inference/inference.h"

namespace xray {

/// An inference request of the Open Inference Protocol over REST, with its binary tensor
/// data extension.
struct OpenInferenceRequest {
  OpenInferenceRequest() = default;
  OpenInferenceRequest(OpenInferenceRequest&&) = default;
  OpenInferenceRequest& operator=(OpenInferenceRequest&&) = default;

  std::optional<std::string> id;     ///< to be sent back
  std::vector<InputTensor> inputs;   ///< their elements lie in the request's body or below
  std::vector<std::string> outputs;  ///< that are wanted; empty: all
  std::vector<bool> binary;          ///< of each of `outputs`, whether it is to come as binary data
  bool all_binary = false;           ///< the same where `outputs` is empty

  std::deque<Bytes> numbers;        ///< elements that came as JSON
  std::deque<std::string> strings;  ///< likewise
};

/// Reads the body of a request. `json_size` is the header Inference-Header-Content-Length, how
/// many bytes of JSON come before the binary data; without it all is JSON. With 0 the whole body
/// is the one picture of the input image.
///
/// Strings in JSON are base64, as no picture is valid UTF-8. kInvalidArgument names what is
/// wrong; kUnsupported for shared memory and classification, which are not offered;
/// kTooLarge as parse_request_json().
Result<OpenInferenceRequest> read_open_inference(std::span<const std::byte> body,
                                                 std::optional<std::string_view> json_size);

/// An answer's body: JSON, with binary data behind its first `json_size` bytes where there is any.
struct OpenInferenceAnswer {
  std::string body;
  std::size_t json_size = 0;
};

/// `model_name` as the request called the model.
OpenInferenceAnswer write_open_inference(const OpenInferenceRequest& request, std::string_view model_name,
                                         std::string_view model_version,
                                         std::span<const OutputTensor> outputs);

}  // namespace xray
