#include "infer/compiled_network.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace xray {
namespace {

int threads_of(const BackendOptions& options) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return options.threads > 0 ? options.threads : cores;
}

ov::AnyMap compile_options(const BackendOptions& options) {
  const int threads = threads_of(options);
  ov::AnyMap properties = {
      // Where the CPU has bf16 (AMX), OpenVINO would use it, and scores would depend on the machine.
      ov::hint::inference_precision(ov::element::f32),
      ov::inference_num_threads(threads),
      ov::hint::enable_hyper_threading(true),
      // Other processes share these cores; pinned threads would queue up behind them.
      ov::hint::enable_cpu_pinning(false),
  };
  if (options.low_latency) {
    properties.insert(ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY));
  } else {
    properties.insert(ov::hint::performance_mode(ov::hint::PerformanceMode::THROUGHPUT));
    properties.insert(ov::num_streams(threads));
  }
  if (!options.cache.empty()) {
    properties.insert(ov::cache_dir(options.cache.string()));
    properties.insert(ov::cache_mode(ov::CacheMode::OPTIMIZE_SPEED));
  }
  return properties;
}

}  // namespace

ov::Core& openvino() {
  static ov::Core core;
  return core;
}

CompiledNetwork::CompiledNetwork(const std::shared_ptr<ov::Model>& network, const BackendOptions& options)
    : network_(openvino().compile_model(network, "CPU", compile_options(options))),
      input_size_(ov::shape_size(network_.input().get_shape())) {
  const std::size_t size = options.low_latency ? 1 : static_cast<std::size_t>(threads_of(options));
  requests_.reserve(size);
  for (std::size_t i = 0; i < size; ++i) requests_.push_back(network_.create_infer_request());
  for (ov::InferRequest& request : requests_) idle_.push_back(&request);
}

void CompiledNetwork::Lease::run(std::span<const float> input) {
  std::copy(input.begin(), input.end(), request_->get_input_tensor().data<float>());
  request_->infer();
}

CompiledNetwork::Lease CompiledNetwork::acquire() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return !idle_.empty(); });
  ov::InferRequest* request = idle_.back();
  idle_.pop_back();
  return {*this, request};
}

void CompiledNetwork::release(ov::InferRequest* request) {
  {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(request);
  }
  returned_.notify_one();
}

Result<std::shared_ptr<ov::Model>> read_map_network(const std::filesystem::path& file, const InputSpec& input,
                                                    const std::string& name, int cell) {
  auto network = openvino().read_model(file.string());
  const auto bad = [&](const std::string& problem) {
    return Error{ErrorCode::kBadModel, file.filename().string() + ": " + problem};
  };
  if (network->inputs().size() != 1) return bad("the network has not one input");
  if (!has_output(*network, name)) return bad("the network has no output named '" + name + "'");
  const ov::PartialShape shape{1, 1, input.height, input.width};
  if (auto checked = check_port(network->input(), "input", shape); !checked) return checked.error();
  network->reshape(shape);
  const ov::PartialShape cells{1, 1, input.height / cell, input.width / cell};
  if (auto checked = check_port(network->output(name), name, cells); !checked) return checked.error();
  return network;
}

std::vector<float> probability_map(CompiledNetwork& network, std::span<const float> input,
                                   const std::string& name) {
  CompiledNetwork::Lease request = network.acquire();
  request.run(input);
  const ov::Tensor output = request.output(name);
  const std::span log_odds(output.data<const float>(), output.get_size());
  std::vector<float> probability(log_odds.size());
  std::ranges::transform(log_odds, probability.begin(), [](float l) { return 1 / (1 + std::exp(-l)); });
  return probability;
}

bool has_output(const ov::Model& network, const std::string& name) {
  const auto& outputs = network.outputs();
  return std::any_of(outputs.begin(), outputs.end(),
                     [&](const auto& output) { return output.get_names().contains(name); });
}

Result<Done> check_port(const ov::Output<const ov::Node>& port, const std::string& name,
                        const ov::PartialShape& expected) {
  if (port.get_element_type() != ov::element::f32 || !port.get_partial_shape().compatible(expected)) {
    return Error{ErrorCode::kBadModel,
                 "the network's " + name + " is " + port.get_element_type().to_string() + " of shape " +
                     port.get_partial_shape().to_string() + ", not f32 of shape " + expected.to_string()};
  }
  return Done{};
}

}  // namespace xray
