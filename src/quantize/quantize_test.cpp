#include "quantize/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/random.h"
#include "model/onnx_writer.h"
#include "quantize/network_probe.h"

namespace xray {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 32;
constexpr int kPixels = kSide * kSide;

std::vector<float> random_values(Random& random, int count, double size) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::ranges::generate(values, [&] { return static_cast<float>(size * random.normal()); });
  return values;
}

/// Writes layers with random weights that keep the variance of what they see (He et al. 2015).
class RandomNetwork {
 public:
  explicit RandomNetwork(std::uint64_t seed) : random_(seed) {}

  OnnxWriter writer{"random"};

  std::string conv(const std::string& x, int in, int out, int kernel, int groups = 1) {
    const int fan_in = in / groups * kernel * kernel;
    const auto weights = random_values(random_, out * fan_in, std::sqrt(2.0 / fan_in));
    const auto bias = random_values(random_, out, 0.1);
    const int pad = kernel / 2;
    return writer.conv(x, {.in = in,
                           .out = out,
                           .kernel = kernel,
                           .groups = groups,
                           .pads = {pad, pad, pad, pad},
                           .weights = weights,
                           .bias = bias});
  }

  std::string linear(const std::string& x, int in, int out) {
    const auto weights = random_values(random_, in * out, std::sqrt(2.0 / in));
    const auto bias = random_values(random_, out, 0.1);
    return writer.linear(x, in, out, weights, bias);
  }

 private:
  Random random_;
};

/// Stem, an inverted residual, pooling and a classifier: eight layers' worth of what the
/// shipped networks are made of.
std::string mobile_network() {
  RandomNetwork net(7);
  OnnxWriter& w = net.writer;
  const std::string stem = w.clip(net.conv(w.input("image", 1, kSide, kSide), 1, 16, 3), 0, 6);
  const std::string wide = w.clip(net.conv(stem, 16, 64, 1), 0, 6);
  const std::string depthwise = w.clip(net.conv(wide, 64, 64, 3, 64), 0, 6);
  const std::string block = w.add(stem, net.conv(depthwise, 64, 16, 1));
  const std::string head = w.relu(net.conv(w.max_pool(block, 2, 2), 16, 32, 1));
  const std::string maps = net.conv(head, 32, 3, 1);
  w.output(w.flatten(w.global_average_pool(maps)), "logits", {-1, 3});
  return w.finish();
}

std::vector<std::vector<float>> random_pictures(std::uint64_t seed, int count) {
  Random random(seed);
  std::vector<std::vector<float>> pictures;
  pictures.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) pictures.push_back(random_values(random, kPixels, 1));
  return pictures;
}

CalibrationPictures calibration(const std::vector<std::vector<float>>& pictures) {
  return {pictures.size(), [&pictures](std::size_t index, std::span<float> input) {
            ASSERT_EQ(input.size(), pictures[index].size());
            std::ranges::copy(pictures[index], input.begin());
          }};
}

std::vector<float> answers(const std::string& onnx, const std::vector<std::vector<float>>& pictures) {
  auto probe = NetworkProbe::open(onnx, {"logits"});
  EXPECT_TRUE(probe.ok()) << probe.error().message;
  std::vector<float> all;
  for (const auto& picture : pictures) {
    const auto ran = probe->run([&](std::span<float> input) { std::ranges::copy(picture, input.begin()); },
                                [&](std::size_t, const ObservedValue& value) {
                                  all.insert(all.end(), value.values.begin(), value.values.end());
                                });
    EXPECT_TRUE(ran.ok());
  }
  return all;
}

/// Root of the mean squared difference, in units of the spread of `exact`.
double relative_error(const std::vector<float>& exact, const std::vector<float>& other) {
  double mean = 0;
  for (const float v : exact) mean += static_cast<double>(v) / static_cast<double>(exact.size());
  double spread = 0;
  double error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    spread += std::pow(static_cast<double>(exact[i]) - mean, 2);
    error += std::pow(static_cast<double>(exact[i] - other[i]), 2);
  }
  return std::sqrt(error / spread);
}

TEST(Quantize, KeepsTheAnswersOfTheNetworkOnPicturesItHasNotSeen) {
  const std::string network = mobile_network();
  const auto seen = random_pictures(1, 16);
  const auto quantized = quantize_network(network, calibration(seen));
  ASSERT_TRUE(quantized.ok()) << quantized.error().message;
  const auto fresh = random_pictures(2, 16);
  const auto exact = answers(network, fresh);
  EXPECT_LT(relative_error(exact, answers(quantized->onnx, fresh)), 0.03);
  EXPECT_LT(quantized->onnx.size(), network.size());
}

TEST(Quantize, LetsEveryLayerBetweenFirstAndLastComputeInEightBit) {
  const auto pictures = random_pictures(1, 4);
  const auto quantized = quantize_network(mobile_network(), calibration(pictures));
  ASSERT_TRUE(quantized.ok()) << quantized.error().message;
  EXPECT_EQ(quantized->layers, 6);
  EXPECT_EQ(quantized->layers_in_8_bit, 4);
  const auto in_floats = count_layers_in_8_bit(mobile_network());
  ASSERT_TRUE(in_floats.ok());
  EXPECT_EQ(*in_floats, 0);
}

TEST(Quantize, TakesFullyConnectedLayers) {
  RandomNetwork net(5);
  OnnxWriter& w = net.writer;
  const std::string x = w.max_pool(w.relu(net.conv(w.input("image", 1, kSide, kSide), 1, 8, 3)), 4, 4);
  const std::string hidden = w.relu(net.linear(w.flatten(x), 8 * 8 * 8, 64));
  w.output(net.linear(hidden, 64, 3), "logits", {-1, 3});
  const std::string network = w.finish();
  const auto pictures = random_pictures(1, 16);
  const auto quantized = quantize_network(network, calibration(pictures));
  ASSERT_TRUE(quantized.ok()) << quantized.error().message;
  EXPECT_EQ(quantized->layers_in_8_bit, 1);
  EXPECT_LT(relative_error(answers(network, pictures), answers(quantized->onnx, pictures)), 0.03);
}

TEST(Quantize, GivesTheSameNetworkEveryTime) {
  const auto pictures = random_pictures(1, 4);
  const auto first = quantize_network(mobile_network(), calibration(pictures));
  const auto second = quantize_network(mobile_network(), calibration(pictures));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->onnx, second->onnx);
}

/// The error of quantising bytes that are no usable network.
ErrorCode refusal(const std::string& onnx) {
  const auto pictures = random_pictures(1, 1);
  const auto quantized = quantize_network(onnx, calibration(pictures));
  EXPECT_FALSE(quantized.ok());
  return quantized.ok() ? ErrorCode::kInternal : quantized.error().code;
}

TEST(Quantize, RefusesBytesThatAreNoNetwork) {
  EXPECT_EQ(refusal("\x08\xff\xff not ONNX"), ErrorCode::kBadModel);
  EXPECT_EQ(refusal(""), ErrorCode::kUnsupported);
  const std::string network = mobile_network();
  EXPECT_EQ(refusal(network.substr(0, network.size() / 2)), ErrorCode::kBadModel);
}

TEST(Quantize, RefusesWeightsThatDoNotFitTheValuesTheyMeet) {
  RandomNetwork net(5);
  OnnxWriter& w = net.writer;
  const std::string x = net.conv(w.input("image", 1, kSide, kSide), 1, 8, 3);
  w.output(net.conv(net.conv(x, 16, 8, 1), 8, 3, 1), "logits", {-1, 3, kSide, kSide});
  EXPECT_EQ(refusal(w.finish()), ErrorCode::kBadModel);
}

TEST(Quantize, RefusesValuesLargerThanMemoryShouldHold) {
  RandomNetwork net(5);
  OnnxWriter& w = net.writer;
  const std::string x = net.conv(w.input("image", 1, 30'000, 30'000), 1, 8, 3);
  w.output(net.conv(net.conv(x, 8, 8, 1), 8, 3, 1), "logits", {-1, 3, -1, -1});
  EXPECT_EQ(refusal(w.finish()), ErrorCode::kTooLarge);
}

TEST(Quantize, RefusesANetworkOfFirstAndLastLayersAlone) {
  RandomNetwork net(5);
  OnnxWriter& w = net.writer;
  const std::string x = w.relu(net.conv(w.input("image", 1, kSide, kSide), 1, 8, 3));
  w.output(net.conv(x, 8, 3, 1), "logits", {-1, 3, kSide, kSide});
  EXPECT_EQ(refusal(w.finish()), ErrorCode::kUnsupported);
}

TEST(Quantize, NeedsPictures) {
  const auto quantized = quantize_network(mobile_network(), {});
  ASSERT_FALSE(quantized.ok());
  EXPECT_EQ(quantized.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
