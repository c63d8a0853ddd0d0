#pragma once

#include <vector>

#include "serve/http/router.h"
#include "serve/models/model_set.h"
#include "serve/models/shadow.h"

namespace xray {

/// What the web API tells of the models: /api/v1/model, /api/v1/models (openapi.json). Thread-safe.
/// The object and what it was made from outlive the routes.
class ModelsApi {
 public:
  /// `shadow` is null where there is none.
  explicit ModelsApi(const ModelSet& models, const Shadow* shadow = nullptr);

  std::vector<Route> routes();

 private:
  Response card() const;
  Response list() const;

  const ModelSet& models_;
  const Shadow* shadow_;
};

}  // namespace xray
