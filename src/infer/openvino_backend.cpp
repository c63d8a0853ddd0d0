#include <exception>
#include <string>
#include <utility>

#include "infer/backend.h"
#include "infer/compiled_network.h"

namespace xray {
namespace {

constexpr const char* kLogits = "logits";
constexpr const char* kMaps = "maps";

/// Inputs and outputs against the card; the shapes are N, C, H, W.
Result<Done> check_network(const ov::Model& network, const ModelCard& card) {
  if (network.inputs().size() != 1) return Error{ErrorCode::kBadModel, "the network has not one input"};
  if (!has_output(network, kLogits))
    return Error{ErrorCode::kBadModel, "the network has no output named 'logits'"};
  const auto classes = static_cast<std::int64_t>(card.classes.size());
  if (auto checked = check_port(network.input(), "input", {1, 1, card.input.height, card.input.width});
      !checked)
    return checked;
  if (auto checked = check_port(network.output(kLogits), kLogits, {1, classes}); !checked) return checked;
  if (!has_output(network, kMaps)) return Done{};
  const ov::Dimension any;
  return check_port(network.output(kMaps), kMaps, {1, classes, any, any});
}

std::vector<float> copy_of(const ov::Tensor& tensor) {
  const auto* values = tensor.data<const float>();
  return {values, values + tensor.get_size()};
}

/// OpenVINO's CPU plugin behind the seam.
class OpenVinoBackend final : public Backend {
 public:
  OpenVinoBackend(const std::shared_ptr<ov::Model>& network, const BackendOptions& options)
      : network_(network, options), has_maps_(has_output(*network, kMaps)) {}

  Result<std::vector<Prediction>> infer(std::span<const float> inputs, std::size_t count) override {
    const std::size_t picture_size = network_.input_size();
    if (inputs.size() != count * picture_size)
      return Error{ErrorCode::kInvalidArgument, "the input is not of the size the network takes"};
    std::vector<Prediction> predictions;
    predictions.reserve(count);
    try {
      CompiledNetwork::Lease request = network_.acquire();
      for (std::size_t i = 0; i < count; ++i) {
        request.run(inputs.subspan(i * picture_size, picture_size));
        predictions.push_back(read_outputs(request));
      }
    } catch (const ov::Exception& failure) {
      return Error{ErrorCode::kInternal, std::string("inference failed: ") + failure.what()};
    }
    return predictions;
  }

 private:
  Prediction read_outputs(const CompiledNetwork::Lease& request) const {
    Prediction prediction;
    prediction.logits = copy_of(request.output(kLogits));
    if (has_maps_) {
      const ov::Tensor maps = request.output(kMaps);
      prediction.maps = copy_of(maps);
      prediction.map_height = static_cast<int>(maps.get_shape()[2]);
      prediction.map_width = static_cast<int>(maps.get_shape()[3]);
    }
    return prediction;
  }

  CompiledNetwork network_;
  bool has_maps_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_openvino_backend(const ModelPackage& package,
                                                       const BackendOptions& options) {
  const ModelCard& card = package.card;
  const auto file = card.network.file(options.precision);
  if (!file) return file.error();
  try {
    const auto network = openvino().read_model((package.directory / *file).string());
    if (auto checked = check_network(*network, card); !checked) return checked.error();
    network->reshape({1, 1, card.input.height, card.input.width});
    return std::unique_ptr<Backend>(std::make_unique<OpenVinoBackend>(network, options));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, *file + ": " + failure.what()};
  }
}

}  // namespace xray
