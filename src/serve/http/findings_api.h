#pragma once

#include <array>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "image/decode.h"
#include "serve/http/router.h"
#include "serve/http/upload.h"
#include "store/store.h"

namespace xray {

/// Bytes -> Finding, from many threads at one time; Diagnoser::diagnose in life.
using Diagnose = std::function<Result<Finding>(std::span<const std::byte>)>;

/// The heat of a picture where a finding brought none, by the model of that name (ModelCard::id());
/// Diagnoser::explain in life. kNotFound where the model is no longer served.
using Explain = std::function<Result<HeatMap>(std::string_view model, std::span<const std::byte>)>;

/// A picture as it was uploaded, and what is said of it.
struct Examined {
  Upload upload;  ///< inside the request's body
  Finding finding;
};

/// All that POST /api/v1/findings does before it stores. Failures are those of read_upload and
/// `diagnose`; kTooLarge.
Result<Examined> examine_upload(const Request& request, const DecodeLimits& limits, const Diagnose& diagnose);

/// The same for a file, as if a browser had sent it: for self-tests.
Result<Finding> examine_file(std::span<const std::byte> file, const DecodeLimits& limits,
                             const Diagnose& diagnose);

/// The web API over findings: /api/v1/... (openapi.json tells each). Thread-safe. `store` and the object
/// outlive the routes.
class FindingsApi {
 public:
  /// Without `explain` findings that brought no heat have none; without `rights` whoever comes may do everything.
  FindingsApi(Diagnose diagnose, Store& store, const DecodeLimits& limits, Explain explain = {},
              FindingRights* rights = nullptr);

  std::vector<Route> routes();

 private:
  /// Diagnoses; keep() is what remains.
  Outcome create(const Request& request);
  Response keep(const Request& request, const Examined& examined);
  Response list(const Request& request);
  Response show(const Request& request, std::string_view id);
  Response image(const Request& request, std::string_view id);
  Response heatmap(const Request& request, std::string_view id);
  /// The finding's own, else worked out from the kept picture, one at a time, and remembered for a while.
  Result<HeatMap> heat_of(const StoredFinding& stored);
  Response compare(const Request& request);
  Response remove(const Request& request, std::string_view id);
  void viewed(const Request& request, std::string_view id);

  Diagnose diagnose_;
  Store& store_;
  DecodeLimits limits_;
  Explain explain_;
  std::mutex explaining_;  ///< held as long as one is worked out
  std::mutex explained_mutex_;
  std::deque<std::pair<std::string, HeatMap>> explained_;  ///< by finding, the oldest first
  FindingRights* rights_;
};

/// "before" and "after" of a comparison's body, ids of findings. kInvalidArgument.
Result<std::array<std::string, 2>> ids_to_compare(std::string_view body);

/// The API's description, OpenAPI 3.1. Static storage.
std::string_view openapi_document();

}  // namespace xray
