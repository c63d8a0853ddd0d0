#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <openvino/openvino.hpp>
#include <string>
#include <vector>

#include "infer/backend.h"

namespace xray {

/// The process's one OpenVINO: it is thread-safe, and a second one would load its plugins anew.
ov::Core& openvino();

/// A network compiled by OpenVINO for the CPU, and the requests that compute it.
/// Each request computes one picture: pictures run beside each other in streams,
/// which beats batches on a CPU. Thread-safe.
class CompiledNetwork {
 public:
  /// `network` with its batch dimension already fixed to 1. Throws what OpenVINO throws.
  CompiledNetwork(const std::shared_ptr<ov::Model>& network, const BackendOptions& options);

  /// Floats of the one input.
  std::size_t input_size() const { return input_size_; }

  /// A request lent out, handed back when it goes out of scope.
  class Lease {
   public:
    Lease(CompiledNetwork& network, ov::InferRequest* request) : network_(network), request_(request) {}
    ~Lease() { network_.release(request_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// Computes `input` (input_size() floats). Throws ov::Exception.
    void run(std::span<const float> input);
    /// An output of the last run; its memory is the request's.
    ov::Tensor output(const std::string& name) const { return request_->get_tensor(name); }

   private:
    CompiledNetwork& network_;
    ov::InferRequest* request_;
  };

  /// Waits while all requests are out.
  Lease acquire();

 private:
  void release(ov::InferRequest* request);

  ov::CompiledModel network_;
  std::size_t input_size_;
  std::vector<ov::InferRequest> requests_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<ov::InferRequest*> idle_;
};

bool has_output(const ov::Model& network, const std::string& name);

/// Reads a network that makes one map of log-odds of one picture: input 1 x 1 x height x width as
/// `input` says, output `name` in cells of `cell` x `cell` pixels. kBadModel where it is none.
/// Throws what OpenVINO throws.
Result<std::shared_ptr<ov::Model>> read_map_network(const std::filesystem::path& file, const InputSpec& input,
                                                    const std::string& name, int cell);

/// Computes `input` and returns the map `name` as probabilities. Throws ov::Exception.
std::vector<float> probability_map(CompiledNetwork& network, std::span<const float> input,
                                   const std::string& name);

/// kBadModel where `port` is not floats of a shape compatible with `expected`.
Result<Done> check_port(const ov::Output<const ov::Node>& port, const std::string& name,
                        const ov::PartialShape& expected);

}  // namespace xray
