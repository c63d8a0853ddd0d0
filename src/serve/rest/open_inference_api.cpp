#include "serve/rest/open_inference_api.h"

#include "common/text.h"
#include "serve/http/problem.h"
#include "serve/rest/open_inference_codec.h"

namespace xray {
namespace {

using nlohmann::ordered_json;

constexpr const char* kJsonSize = "Inference-Header-Content-Length";
/// Of a request whose body says hardly anything.
constexpr std::uint64_t kSmallBody = 4U << 10U;

/// {name} and, where the path has one, {version}.
Result<ModelHandle> find_model(const Inference& inference, const PathParameters& model) {
  return inference.models().find(percent_decoded(model[0]), percent_decoded(model[1]));
}

ordered_json tensors_json(std::span<const TensorSpec> specs) {
  ordered_json json = ordered_json::array();
  for (const TensorSpec& spec : specs)
    json.push_back({{"name", spec.name}, {"datatype", name(spec.type)}, {"shape", spec.shape}});
  return json;
}

}  // namespace

std::vector<Route> OpenInferenceApi::routes() const {
  const auto well = [](const Request&, const PathParameters&) {
    return json_response(200, ordered_json::object());
  };
  const auto show = [this](const Request&, const PathParameters& model) { return metadata(model); };
  const auto is_ready = [this](const Request&, const PathParameters& model) { return ready(model); };
  const auto run = [this](const Request& request, const PathParameters& model) {
    return infer(request, model);
  };
  return {
      {"GET", "/v2", Permission::kRead, Lane::kAtOnce, 0,
       [this](const Request&, const PathParameters&) { return server(); }},
      {"GET", "/v2/health/live", Permission::kOpen, Lane::kAtOnce, 0, well},
      {"GET", "/v2/health/ready", Permission::kOpen, Lane::kAtOnce, 0,
       [this, well](const Request& request, const PathParameters& none) {
         const auto state = readiness_.state();
         return state ? well(request, none) : problem(503, state.error());
       }},
      {"POST", "/v2/repository/index", Permission::kRead, Lane::kAtOnce, kSmallBody,
       [this](const Request&, const PathParameters&) { return index(); }},
      {"GET", "/v2/models/{name}", Permission::kRead, Lane::kAtOnce, 0, show},
      {"GET", "/v2/models/{name}/versions/{version}", Permission::kRead, Lane::kAtOnce, 0, show},
      {"GET", "/v2/models/{name}/ready", Permission::kRead, Lane::kAtOnce, 0, is_ready},
      {"GET", "/v2/models/{name}/versions/{version}/ready", Permission::kRead, Lane::kAtOnce, 0, is_ready},
      {"POST", "/v2/models/{name}/infer", Permission::kDiagnose, Lane::kDiagnosis, max_body_, run},
      {"POST", "/v2/models/{name}/versions/{version}/infer", Permission::kDiagnose, Lane::kDiagnosis,
       max_body_, run},
  };
}

Response OpenInferenceApi::server() const {
  return json_response(200,
                       {{"name", "xray"}, {"version", version_}, {"extensions", {"binary_tensor_data"}}});
}

Response OpenInferenceApi::index() const {
  ordered_json json = ordered_json::array();
  for (const ModelHandle& model : inference_.models().list())
    json.push_back({{"name", model->name}, {"version", model->version}, {"state", "READY"}, {"reason", ""}});
  return json_response(200, json);
}

Response OpenInferenceApi::metadata(const PathParameters& model) const {
  const auto found = find_model(inference_, model);
  if (!found) return problem(found.error());
  ordered_json versions = ordered_json::array();
  for (const ModelHandle& other : inference_.models().list())
    if (other->name == (*found)->name) versions.push_back(other->version);
  return json_response(200, {{"name", percent_decoded(model[0])},
                             {"versions", std::move(versions)},
                             {"platform", "xray"},
                             {"inputs", tensors_json(input_specs())},
                             {"outputs", tensors_json(output_specs())}});
}

Response OpenInferenceApi::ready(const PathParameters& model) const {
  const auto found = find_model(inference_, model);
  return found ? json_response(200, ordered_json::object()) : problem(found.error());
}

Response OpenInferenceApi::infer(const Request& request, const PathParameters& model) const {
  const auto found = find_model(inference_, model);
  if (!found) return problem(found.error());
  if (const std::string* coding = request.header("Content-Encoding"); coding && *coding != "identity")
    return problem({ErrorCode::kUnsupported, "compressed requests are not read here"});
  const std::string* const json_size = request.header(kJsonSize);
  const auto asked = read_open_inference(
      request.body, json_size == nullptr ? std::nullopt : std::optional<std::string_view>(*json_size));
  if (!asked) return problem(asked.error());
  const auto outputs = inference_.infer(**found, asked->inputs, asked->outputs, request.abandoned);
  if (!outputs) return problem(outputs.error());

  OpenInferenceAnswer answer =
      write_open_inference(*asked, percent_decoded(model[0]), (*found)->version, *outputs);
  const bool is_json = answer.json_size == answer.body.size();
  Response response{200,
                    {{"Content-Type", is_json ? "application/json" : "application/octet-stream"},
                     {"Cache-Control", "no-store"}},
                    std::move(answer.body)};
  if (!is_json) response.headers.push_back({kJsonSize, std::to_string(answer.json_size)});
  return response;
}

}  // namespace xray
