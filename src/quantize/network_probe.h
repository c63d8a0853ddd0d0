#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"

namespace xray {

/// A value inside a network while one picture passes: channels x ..., row-major.
struct ObservedValue {
  std::span<const float> values;
  std::size_t channels = 0;
};

/// Lets pictures pass through a network (OpenVINO, 32-bit floats) and shows the
/// values inside it. Not thread-safe.
class NetworkProbe {
 public:
  /// `values` by their names in the ONNX file. kBadModel: OpenVINO does not take the
  /// network, or a value is not there or not floats; kTooLarge: more values than
  /// memory should be given to.
  static Result<NetworkProbe> open(const std::string& onnx, const std::vector<std::string>& values);

  ~NetworkProbe();
  NetworkProbe(NetworkProbe&&) noexcept;
  NetworkProbe& operator=(NetworkProbe&&) noexcept;

  /// One picture: `fill` writes the input, then `see` is called for each value by
  /// its number. kInternal where inference fails.
  Result<Done> run(const std::function<void(std::span<float> input)>& fill,
                   const std::function<void(std::size_t, const ObservedValue&)>& see);

 private:
  struct State;
  explicit NetworkProbe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// How many convolutions and fully connected layers OpenVINO computes in 8 bit on
/// this machine. kBadModel where it does not take the network.
Result<int> count_layers_in_8_bit(const std::string& onnx);

}  // namespace xray
