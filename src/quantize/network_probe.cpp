#include "quantize/network_probe.h"

#include <exception>
#include <openvino/openvino.hpp>
#include <utility>

namespace xray {
namespace {

/// Floats of the input and of all observed values together: 1 GiB.
constexpr std::size_t kMaxValues = std::size_t{1} << 28U;

std::shared_ptr<ov::Model> read_for_one_picture(ov::Core& core, const std::string& onnx) {
  auto network = core.read_model(onnx, ov::Tensor());
  ov::PartialShape shape = network->input().get_partial_shape();
  shape[0] = 1;
  network->reshape(shape);
  return network;
}

ov::CompiledModel compile(ov::Core& core, const std::shared_ptr<ov::Model>& network) {
  return core.compile_model(network, "CPU", ov::hint::inference_precision(ov::element::f32),
                            ov::hint::enable_cpu_pinning(false));
}

Error bad_model(const std::exception& failure) {
  return {ErrorCode::kBadModel, std::string("not a network that can be run: ") + failure.what()};
}

}  // namespace

struct NetworkProbe::State {
  ov::InferRequest request;
  std::vector<std::string> values;
};

NetworkProbe::NetworkProbe(std::unique_ptr<State> state) : state_(std::move(state)) {}
NetworkProbe::~NetworkProbe() = default;
NetworkProbe::NetworkProbe(NetworkProbe&&) noexcept = default;
NetworkProbe& NetworkProbe::operator=(NetworkProbe&&) noexcept = default;

Result<NetworkProbe> NetworkProbe::open(const std::string& onnx, const std::vector<std::string>& values) {
  try {
    ov::Core core;
    const auto network = read_for_one_picture(core, onnx);
    for (const std::string& value : values) network->add_output(value);
    std::size_t total = 0;
    const auto check = [&](const ov::Output<ov::Node>& port) -> Result<Done> {
      if (port.get_element_type() != ov::element::f32 || port.get_partial_shape().is_dynamic() ||
          port.get_shape().size() < 2)
        return Error{ErrorCode::kBadModel, "a value is not made of floats in a fixed number of channels"};
      for (const std::size_t size : port.get_shape())
        if (size == 0 || size > kMaxValues) return Error{ErrorCode::kTooLarge, "a value is too large"};
      total += ov::shape_size(port.get_shape());
      if (total > kMaxValues) return Error{ErrorCode::kTooLarge, "the values of the network are too large"};
      return Done{};
    };
    if (auto checked = check(network->input()); !checked) return checked.error();
    for (const std::string& value : values)
      if (auto checked = check(network->output(value)); !checked) return checked.error();
    return NetworkProbe(
        std::make_unique<State>(State{compile(core, network).create_infer_request(), values}));
  } catch (const std::exception& failure) {
    return bad_model(failure);
  }
}

Result<Done> NetworkProbe::run(const std::function<void(std::span<float> input)>& fill,
                               const std::function<void(std::size_t, const ObservedValue&)>& see) {
  ov::Tensor input = state_->request.get_input_tensor();
  fill({input.data<float>(), input.get_size()});
  try {
    state_->request.infer();
  } catch (const ov::Exception& failure) {
    return Error{ErrorCode::kInternal, std::string("inference failed: ") + failure.what()};
  }
  for (std::size_t i = 0; i < state_->values.size(); ++i) {
    const ov::Tensor tensor = state_->request.get_tensor(state_->values[i]);
    see(i, {{tensor.data<const float>(), tensor.get_size()}, tensor.get_shape()[1]});
  }
  return Done{};
}

Result<int> count_layers_in_8_bit(const std::string& onnx) {
  try {
    ov::Core core;
    const ov::CompiledModel compiled = compile(core, read_for_one_picture(core, onnx));
    int count = 0;
    for (const auto& node : compiled.get_runtime_model()->get_ops()) {
      const auto info = [&](const char* key) { return node->get_rt_info().at(key).as<std::string>(); };
      const bool is_layer = info("layerType") == "Convolution" || info("layerType") == "FullyConnected";
      const bool in_8_bit = info("runtimePrecision") == "u8" || info("runtimePrecision") == "i8";
      count += is_layer && in_8_bit ? 1 : 0;
    }
    return count;
  } catch (const std::exception& failure) {
    return bad_model(failure);
  }
}

}  // namespace xray
