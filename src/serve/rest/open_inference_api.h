#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serve/http/readiness.h"
#include "serve/http/router.h"
#include "serve/inference/inference.h"

namespace xray {

/// The Open Inference Protocol (KServe V2) over REST, /v2/..., with the binary tensor data
/// extension and the index of the model repository extension, so that clients of Triton, KServe
/// and others find a server of their kind. Thread-safe. The object outlives the routes.
class OpenInferenceApi {
 public:
  /// `inference` and `readiness` outlive the object; `version` is the program's; `max_body` bounds the
  /// bytes of a request for inference.
  OpenInferenceApi(const Inference& inference, const Readiness& readiness, std::string version,
                   std::uint64_t max_body)
      : inference_(inference), readiness_(readiness), version_(std::move(version)), max_body_(max_body) {}

  std::vector<Route> routes() const;

 private:
  Response server() const;
  Response index() const;
  Response metadata(const PathParameters& model) const;
  Response ready(const PathParameters& model) const;
  Response infer(const Request& request, const PathParameters& model) const;

  const Inference& inference_;
  const Readiness& readiness_;
  std::string version_;
  std::uint64_t max_body_;
};

}  // namespace xray
