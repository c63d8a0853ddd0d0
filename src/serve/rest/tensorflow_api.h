#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "serve/http/router.h"
#include "serve/inference/inference.h"

namespace xray {

/// TensorFlow Serving's REST API, /v1/models/...: status, metadata and predict of a model, of one
/// of its versions and of what a label names. Thread-safe. The object outlives the routes.
class TensorFlowApi {
 public:
  /// `inference` outlives the object; `max_body` bounds the bytes of a request to predict.
  TensorFlowApi(const Inference& inference, std::uint64_t max_body)
      : inference_(inference), max_body_(max_body) {}

  std::vector<Route> routes() const;

 private:
  /// Finds the model that a path's parameters name.
  using Find = std::function<Result<ModelHandle>(const PathParameters&)>;

  Response status(const PathParameters& model) const;
  Response predict(const Request& request, const PathParameters& path, const Find& find) const;

  const Inference& inference_;
  std::uint64_t max_body_;
};

}  // namespace xray
