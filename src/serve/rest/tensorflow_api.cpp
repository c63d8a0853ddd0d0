#include "serve/rest/tensorflow_api.h"

#include <algorithm>
#include <utility>

#include "common/text.h"
#include "serve/http/problem.h"
#include "serve/rest/tensorflow_codec.h"

namespace xray {
namespace {

using nlohmann::ordered_json;

ordered_json status_json(const ServedModel& model) {
  return {{"version", model.version},
          {"state", "AVAILABLE"},
          {"status", {{"error_code", "OK"}, {"error_message", ""}}}};
}

Response show_status(const Result<ModelHandle>& model) {
  if (!model) return problem(model.error());
  return json_response(200, {{"model_version_status", ordered_json::array({status_json(**model)})}});
}

/// Names of TensorFlow's types.
const char* tensorflow_name(DataType type) {
  switch (type) {
    case DataType::kUint8:
      return "DT_UINT8";
    case DataType::kFp32:
      return "DT_FLOAT";
    default:
      return "DT_STRING";
  }
}

/// As protobuf writes a TensorInfo in JSON, where 64-bit numbers are texts.
ordered_json tensor_info(const TensorSpec& spec) {
  ordered_json sizes = ordered_json::array();
  for (const std::int64_t size : spec.shape) sizes.push_back({{"size", std::to_string(size)}, {"name", ""}});
  return {{"dtype", tensorflow_name(spec.type)},
          {"tensor_shape", {{"dim", std::move(sizes)}, {"unknown_rank", false}}},
          {"name", spec.name}};
}

ordered_json signature(const TensorSpec& input) {
  ordered_json outputs;
  for (const TensorSpec& output : output_specs()) outputs[output.name] = tensor_info(output);
  return {{"inputs", {{input.name, tensor_info(input)}}},
          {"outputs", std::move(outputs)},
          {"method_name", "tensorflow/serving/predict"}};
}

Response show_metadata(const PathParameters& path, const Result<ModelHandle>& model) {
  if (!model) return problem(model.error());
  ordered_json signatures;
  for (const TensorSpec& input : input_specs())
    signatures[std::string(input.type == DataType::kBytes ? kDefaultSignature : kPixelSignature)] =
        signature(input);
  return json_response(
      200, {{"model_spec",
             {{"name", percent_decoded(path[0])}, {"signature_name", ""}, {"version", (*model)->version}}},
            {"metadata", {{"signature_def", {{"signature_def", std::move(signatures)}}}}}});
}

}  // namespace

std::vector<Route> TensorFlowApi::routes() const {
  const ModelSet& models = inference_.models();
  const Find by_version = [&models](const PathParameters& path) {
    return models.find(percent_decoded(path[0]), percent_decoded(path[1]));
  };
  const Find by_label = [&models = inference_.models()](const PathParameters& path) {
    return models.find_label(percent_decoded(path[0]), percent_decoded(path[1]));
  };
  std::vector<Route> routes = {
      {"GET", "/v1/models/{name}", Permission::kRead, Lane::kAtOnce, 0,
       [this](const Request&, const PathParameters& path) { return status(path); }},
      {"GET", "/v1/models/{name}/metadata", Permission::kRead, Lane::kAtOnce, 0,
       [by_version](const Request&, const PathParameters& path) {
         return show_metadata(path, by_version(path));
       }},
      {"POST", "/v1/models/{name}:predict", Permission::kDiagnose, Lane::kDiagnosis, max_body_,
       [this, by_version](const Request& request, const PathParameters& path) {
         return predict(request, path, by_version);
       }},
  };
  struct Choice {
    std::string_view status;
    std::string_view metadata;
    std::string_view predict;
    Find find;
  };
  const Choice choices[] = {
      {"/v1/models/{name}/versions/{version}", "/v1/models/{name}/versions/{version}/metadata",
       "/v1/models/{name}/versions/{version}:predict", by_version},
      {"/v1/models/{name}/labels/{label}", "/v1/models/{name}/labels/{label}/metadata",
       "/v1/models/{name}/labels/{label}:predict", by_label},
  };
  for (const Choice& choice : choices) {
    const Find find = choice.find;
    routes.push_back(
        {"GET", choice.status, Permission::kRead, Lane::kAtOnce, 0,
         [find](const Request&, const PathParameters& path) { return show_status(find(path)); }});
    routes.push_back(
        {"GET", choice.metadata, Permission::kRead, Lane::kAtOnce, 0,
         [find](const Request&, const PathParameters& path) { return show_metadata(path, find(path)); }});
    routes.push_back({"POST", choice.predict, Permission::kDiagnose, Lane::kDiagnosis, max_body_,
                      [this, find](const Request& request, const PathParameters& path) {
                        return predict(request, path, find);
                      }});
  }
  return routes;
}

Response TensorFlowApi::status(const PathParameters& model) const {
  const auto found = inference_.models().find(percent_decoded(model[0]));
  if (!found) return problem(found.error());
  ordered_json versions = ordered_json::array();
  for (const ModelHandle& other : inference_.models().list())
    if (other->name == (*found)->name) versions.push_back(status_json(*other));
  return json_response(200, {{"model_version_status", std::move(versions)}});
}

Response TensorFlowApi::predict(const Request& request, const PathParameters& path, const Find& find) const {
  const auto model = find(path);
  if (!model) return problem(model.error());
  const auto asked =
      read_tensorflow({reinterpret_cast<const char*>(request.body.data()), request.body.size()});
  if (!asked) return problem(asked.error());
  const auto outputs = inference_.infer(**model, asked->inputs, {}, request.abandoned);
  if (!outputs) return problem(outputs.error());
  return json_response(200, write_tensorflow(*asked, *outputs));
}

}  // namespace xray
