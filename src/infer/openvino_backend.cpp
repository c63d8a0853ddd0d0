#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <openvino/openvino.hpp>
#include <string>
#include <thread>
#include <utility>

#include "infer/backend.h"

namespace xray {
namespace {

constexpr const char* kLogits = "logits";
constexpr const char* kMaps = "maps";

/// The inference requests of one compiled network, lent out one at a time.
class RequestPool {
 public:
  /// Holds a request and hands it back when it goes out of scope.
  class Guard {
   public:
    Guard(RequestPool& pool, ov::InferRequest* request) : pool_(pool), request_(request) {}
    ~Guard() { pool_.release(request_); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ov::InferRequest& operator*() const { return *request_; }

   private:
    RequestPool& pool_;
    ov::InferRequest* request_;
  };

  RequestPool(ov::CompiledModel& network, std::size_t size) {
    requests_.reserve(size);
    for (std::size_t i = 0; i < size; ++i) requests_.push_back(network.create_infer_request());
    for (ov::InferRequest& request : requests_) idle_.push_back(&request);
  }

  /// Waits while all requests are out.
  Guard acquire() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !idle_.empty(); });
    ov::InferRequest* request = idle_.back();
    idle_.pop_back();
    return {*this, request};
  }

 private:
  void release(ov::InferRequest* request) {
    {
      const std::scoped_lock lock(mutex_);
      idle_.push_back(request);
    }
    returned_.notify_one();
  }

  std::vector<ov::InferRequest> requests_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<ov::InferRequest*> idle_;
};

bool has_output(const ov::Model& network, const std::string& name) {
  const auto& outputs = network.outputs();
  return std::any_of(outputs.begin(), outputs.end(),
                     [&](const auto& output) { return output.get_names().contains(name); });
}

/// An Error where `port` is not a plane of floats of the shape `expected`.
Result<Done> check_port(const ov::Output<const ov::Node>& port, const std::string& name,
                        const ov::PartialShape& expected) {
  if (port.get_element_type() != ov::element::f32 || !port.get_partial_shape().compatible(expected)) {
    return Error{ErrorCode::kBadModel,
                 "the network's " + name + " is " + port.get_element_type().to_string() + " of shape " +
                     port.get_partial_shape().to_string() + ", not f32 of shape " + expected.to_string()};
  }
  return Done{};
}

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

/// OpenVINO's CPU plugin behind the seam. Each request computes one picture:
/// pictures run beside each other in streams, which beats batches on a CPU.
class OpenVinoBackend final : public Backend {
 public:
  OpenVinoBackend(ov::CompiledModel network, std::size_t requests, bool has_maps)
      : network_(std::move(network)),
        pool_(network_, requests),
        input_shape_(network_.input().get_shape()),
        has_maps_(has_maps) {}

  Result<std::vector<Prediction>> infer(std::span<const float> inputs, std::size_t count) override {
    const std::size_t picture_size = ov::shape_size(input_shape_);
    if (inputs.size() != count * picture_size)
      return Error{ErrorCode::kInvalidArgument, "the input is not of the size the network takes"};
    std::vector<Prediction> predictions;
    predictions.reserve(count);
    try {
      const auto guard = pool_.acquire();
      ov::InferRequest& request = *guard;
      for (std::size_t i = 0; i < count; ++i) {
        const auto picture = inputs.subspan(i * picture_size, picture_size);
        std::copy(picture.begin(), picture.end(), request.get_input_tensor().data<float>());
        request.infer();
        predictions.push_back(read_outputs(request));
      }
    } catch (const ov::Exception& failure) {
      return Error{ErrorCode::kInternal, std::string("inference failed: ") + failure.what()};
    }
    return predictions;
  }

 private:
  Prediction read_outputs(ov::InferRequest& request) const {
    Prediction prediction;
    prediction.logits = copy_of(request.get_tensor(kLogits));
    if (has_maps_) {
      const ov::Tensor maps = request.get_tensor(kMaps);
      prediction.maps = copy_of(maps);
      prediction.map_height = static_cast<int>(maps.get_shape()[2]);
      prediction.map_width = static_cast<int>(maps.get_shape()[3]);
    }
    return prediction;
  }

  ov::CompiledModel network_;
  RequestPool pool_;
  ov::Shape input_shape_;
  bool has_maps_;
};

ov::AnyMap compile_options(const BackendOptions& options, int threads) {
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
  return properties;
}

}  // namespace

Result<std::unique_ptr<Backend>> make_openvino_backend(const ModelPackage& package,
                                                       const BackendOptions& options) {
  const ModelCard& card = package.card;
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = options.threads > 0 ? options.threads : cores;
  const auto path = package.network_path(options.precision);
  if (!path) return path.error();
  try {
    ov::Core core;
    const auto network = core.read_model(path->string());
    if (auto checked = check_network(*network, card); !checked) return checked.error();
    network->reshape({1, 1, card.input.height, card.input.width});
    ov::CompiledModel compiled = core.compile_model(network, "CPU", compile_options(options, threads));
    const std::size_t requests = options.low_latency ? 1 : static_cast<std::size_t>(threads);
    return std::unique_ptr<Backend>(
        std::make_unique<OpenVinoBackend>(std::move(compiled), requests, has_output(*network, kMaps)));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kBadModel, path->filename().string() + ": " + failure.what()};
  }
}

}  // namespace xray
