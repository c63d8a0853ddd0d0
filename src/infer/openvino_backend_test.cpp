#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "common/file.h"
#include "infer/backend.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::size_t kPixels = std::size_t{test::kTinySide} * test::kTinySide;

class OpenVinoBackend : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Backend>> make(const ModelCard& card, const std::string& network,
                                        const BackendOptions& options = {}) {
    const auto written = write_package(temp_ / "package", card, {network});
    EXPECT_TRUE(written.ok()) << written.error().message;
    auto package = load_package(temp_ / "package");
    EXPECT_TRUE(package.ok()) << package.error().message;
    return make_openvino_backend(*package, options);
  }

  test::TempDir temp_;
};

/// A picture of one brightness b (see tiny_package.h), as the network's input.
std::vector<float> flat_input(float brightness) {
  return std::vector<float>(kPixels, brightness - 127.0F / 128.0F);
}

TEST_F(OpenVinoBackend, ComputesLogitsAndClassMaps) {
  auto backend = make(test::tiny_card(), test::tiny_network());
  ASSERT_TRUE(backend.ok()) << backend.error().message;
  // The left half of the picture has b = 1, the right half b = 0.5.
  auto input = flat_input(1.0F);
  for (std::size_t i = 0; i < kPixels; ++i) {
    if (i % test::kTinySide >= test::kTinySide / 2) input[i] -= 0.5F;
  }
  const auto predictions = (*backend)->infer(input, 1);
  ASSERT_TRUE(predictions.ok()) << predictions.error().message;
  ASSERT_THAT(*predictions, SizeIs(1));
  const Prediction& prediction = predictions->front();

  ASSERT_THAT(prediction.logits, SizeIs(3));
  EXPECT_NEAR(prediction.logits[0], 0.0, 1e-5);
  EXPECT_NEAR(prediction.logits[1], -5.0, 1e-5);
  EXPECT_NEAR(prediction.logits[2], -6.0, 1e-5);

  ASSERT_EQ(prediction.map_width, test::kTinyCells);
  ASSERT_EQ(prediction.map_height, test::kTinyCells);
  ASSERT_THAT(prediction.maps, SizeIs(3 * test::kTinyCells * test::kTinyCells));
  const std::size_t bacterial = std::size_t{test::kTinyCells} * test::kTinyCells;
  EXPECT_NEAR(prediction.maps[0], 0.0, 1e-5);
  EXPECT_NEAR(prediction.maps[bacterial], 0.0, 1e-5);
  EXPECT_NEAR(prediction.maps[bacterial + test::kTinyCells - 1], -10.0, 1e-5);
}

TEST_F(OpenVinoBackend, AnswersSeveralPicturesInTheirOrder) {
  auto backend = make(test::tiny_card(), test::tiny_network(), {.low_latency = true});
  ASSERT_TRUE(backend.ok()) << backend.error().message;
  std::vector<float> inputs;
  for (const float brightness : {1.0F, 0.5F, 1.5F}) {
    const auto input = flat_input(brightness);
    inputs.insert(inputs.end(), input.begin(), input.end());
  }
  const auto predictions = (*backend)->infer(inputs, 3);
  ASSERT_TRUE(predictions.ok()) << predictions.error().message;
  ASSERT_THAT(*predictions, SizeIs(3));
  EXPECT_NEAR((*predictions)[0].logits[1], 0.0, 1e-5);
  EXPECT_NEAR((*predictions)[1].logits[1], -10.0, 1e-5);
  EXPECT_NEAR((*predictions)[2].logits[1], 10.0, 1e-5);
}

TEST_F(OpenVinoBackend, ServesMoreThreadsThanItHasRequests) {
  auto backend = make(test::tiny_card(), test::tiny_network(), {.threads = 2});
  ASSERT_TRUE(backend.ok()) << backend.error().message;
  std::vector<std::vector<float>> answers(8);
  std::vector<std::thread> threads;
  threads.reserve(answers.size());
  for (std::size_t t = 0; t < answers.size(); ++t) {
    threads.emplace_back([&, t] {
      const auto input = flat_input(0.1F * static_cast<float>(t));
      for (int repeat = 0; repeat < 50; ++repeat) {
        const auto predictions = (*backend)->infer(input, 1);
        if (predictions.ok()) answers[t].push_back(predictions->front().logits[2]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 0; t < answers.size(); ++t)
    EXPECT_THAT(answers[t], ::testing::AllOf(SizeIs(50), ::testing::Each(::testing::FloatNear(
                                                             2.0F * static_cast<float>(t) - 21.0F, 1e-4F))));
}

TEST_F(OpenVinoBackend, RefusesInputOfAnotherSize) {
  auto backend = make(test::tiny_card(), test::tiny_network());
  ASSERT_TRUE(backend.ok()) << backend.error().message;
  const auto predictions = (*backend)->infer(flat_input(1), 2);
  ASSERT_FALSE(predictions.ok());
  EXPECT_EQ(predictions.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(OpenVinoBackend, WorksWithoutClassMaps) {
  const std::vector<float> weights(2 * kPixels, 0.0F);
  const std::vector<float> bias = {1.0F, 2.0F};
  OnnxWriter writer("flat");
  const auto input = writer.input("input", 1, test::kTinySide, test::kTinySide);
  writer.output(writer.linear(writer.flatten(input), kPixels, 2, weights, bias), "logits", {-1, 2});
  ModelCard card = test::tiny_card();
  card.classes = {"normal", "pneumonia"};
  auto backend = make(card, writer.finish());
  ASSERT_TRUE(backend.ok()) << backend.error().message;
  const auto predictions = (*backend)->infer(flat_input(1), 1);
  ASSERT_TRUE(predictions.ok()) << predictions.error().message;
  EXPECT_THAT(predictions->front().logits, ::testing::ElementsAre(1.0F, 2.0F));
  EXPECT_TRUE(predictions->front().maps.empty());
}

TEST_F(OpenVinoBackend, RefusesANetworkOfAnotherInputSizeThanTheCards) {
  ModelCard card = test::tiny_card();
  card.input.width = 96;
  const auto backend = make(card, test::tiny_network());
  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(backend.error().message, HasSubstr("input"));
}

TEST_F(OpenVinoBackend, RefusesANetworkOfOtherClassesThanTheCards) {
  ModelCard card = test::tiny_card();
  card.classes = {"normal", "pneumonia"};
  const auto backend = make(card, test::tiny_network());
  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(backend.error().message, HasSubstr("logits"));
}

TEST_F(OpenVinoBackend, RefusesANetworkWithoutLogits) {
  OnnxWriter writer("nameless");
  const auto input = writer.input("input", 1, test::kTinySide, test::kTinySide);
  writer.output(writer.relu(input), "features", {-1, 1, test::kTinySide, test::kTinySide});
  const auto backend = make(test::tiny_card(), writer.finish());
  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(backend.error().message, HasSubstr("logits"));
}

TEST_F(OpenVinoBackend, RefusesBytesThatAreNoNetwork) {
  const auto backend = make(test::tiny_card(), "not a network");
  ASSERT_FALSE(backend.ok());
  EXPECT_EQ(backend.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(backend.error().message, HasSubstr("network.onnx"));
}

}  // namespace
}  // namespace xray
