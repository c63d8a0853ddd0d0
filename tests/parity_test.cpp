// The network that was trained and the one that is served are the same function.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "infer/backend.h"
#include "infer/lung_finder.h"
#include "infer/opacity_finder.h"
#include "model/card.h"
#include "network/classifier.h"
#include "network/lung_net.h"
#include "network/opacity_net.h"
#include "support/phantom.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

class Parity : public testing::TestWithParam<const char*> {};

TEST_P(Parity, OpenVinoGivesTheScoresOfLibTorch) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(7);
  constexpr int kSize = 96;
  constexpr std::size_t kCount = 3;
  const auto network = make_classifier(*find_architecture(GetParam()), {.height = kSize, .width = kSize});
  // Batch norm that does something, so that folding it is tested too.
  for (auto& buffer : network->named_buffers()) {
    if (buffer.key().ends_with("running_mean")) buffer.value().normal_(0, 0.1);
    if (buffer.key().ends_with("running_var")) buffer.value().uniform_(0.5, 1.5);
  }
  network->eval();

  const test::TempDir dir;
  ModelCard card;
  card.name = "parity";
  card.version = "1";
  card.input = {.width = kSize, .height = kSize};
  card.classes = {"normal", "bacterial", "viral"};
  ASSERT_TRUE(write_package(dir.path(), card, {network->to_onnx(kSize, kSize)}));
  const auto package = load_package(dir.path());
  ASSERT_TRUE(package) << package.error().message;
  const auto backend = make_openvino_backend(*package, {.threads = 1});
  ASSERT_TRUE(backend) << backend.error().message;

  const torch::Tensor batch = torch::randn({kCount, 1, kSize, kSize});
  const torch::Tensor logits = network->forward(batch).contiguous();
  const std::span<const float> inputs(batch.const_data_ptr<float>(), static_cast<std::size_t>(batch.numel()));
  const auto predictions = (*backend)->infer(inputs, kCount);
  ASSERT_TRUE(predictions) << predictions.error().message;
  ASSERT_EQ(predictions->size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    const Prediction& prediction = (*predictions)[i];
    for (std::size_t c = 0; c < card.classes.size(); ++c) {
      EXPECT_NEAR(prediction.logits[c],
                  logits[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(c)].item<float>(), 1e-4);
      if (prediction.maps.empty()) continue;
      const std::size_t cells = static_cast<std::size_t>(prediction.map_width * prediction.map_height);
      double sum = 0;
      for (std::size_t cell = 0; cell < cells; ++cell)
        sum += static_cast<double>(prediction.maps[c * cells + cell]);
      EXPECT_NEAR(sum / static_cast<double>(cells), static_cast<double>(prediction.logits[c]), 1e-4);
    }
  }
}

TEST(LungParity, OpenVinoFindsTheLungsThatLibTorchFinds) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  constexpr int kSize = 64;
  const auto network = make_lung_net();
  network->eval();
  const test::TempDir dir;
  LungModel model;
  model.input = {.width = kSize, .height = kSize};
  ASSERT_TRUE(write_lung_model(dir.path(), model, {network->to_onnx(kSize, kSize)}));
  const auto loaded = load_lung_model(dir.path());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto finder = make_lung_finder(dir.path(), *loaded, {.threads = 1});
  ASSERT_TRUE(finder) << finder.error().message;

  const Image film = test::make_phantom({.width = kSize, .height = kSize});
  const auto field = (*finder)->find(film);
  ASSERT_TRUE(field) << field.error().message;
  const Preprocessor preprocessor(model.input);
  std::vector<float> input = resize(film, kSize, kSize).values;
  preprocessor.normalise(input);
  const torch::Tensor logits =
      network->forward(torch::from_blob(input.data(), {1, 1, kSize, kSize})).contiguous();
  const torch::Tensor probability = torch::sigmoid(logits);
  ASSERT_EQ(field->probability.size(), static_cast<std::size_t>(kSize * kSize));
  for (std::size_t i = 0; i < field->probability.size(); i += 7)
    ASSERT_NEAR(field->probability[i], probability.const_data_ptr<float>()[i], 1e-4);
}

TEST(OpacityParity, OpenVinoFindsTheOpacityThatLibTorchFinds) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  constexpr int kSize = 64;
  const auto network = make_opacity_net(*find_architecture("mobilenet-v2"), 0, 0);
  network->eval();
  const test::TempDir dir;
  SeverityModel model;
  model.input.width = model.input.height = kSize;
  ASSERT_TRUE(write_severity_model(dir.path(), model, {network->to_onnx(kSize, kSize)}));
  const auto loaded = load_severity_model(dir.path());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto finder = make_opacity_finder(dir.path(), *loaded, {.threads = 1});
  ASSERT_TRUE(finder) << finder.error().message;

  const Image film = standard_film(test::make_phantom()).value();
  LungField lungs{64, 64, resize(test::make_phantom_lungs(), 64, 64).values};
  for (float& value : lungs.probability) value /= 255;
  const auto map = (*finder)->find(film, lungs);
  ASSERT_TRUE(map) << map.error().message;
  std::vector<float> input(kSize * kSize);
  const auto frame = Preprocessor(model.input)(film, lungs, input);
  ASSERT_TRUE(frame);
  EXPECT_DOUBLE_EQ(map->frame.width, frame->width);
  const torch::Tensor opacity =
      torch::sigmoid(network->forward(torch::from_blob(input.data(), {1, 1, kSize, kSize}))).contiguous();
  ASSERT_EQ(opacity.sizes(), (std::vector<std::int64_t>{1, kSize / 8, kSize / 8}));
  ASSERT_EQ(map->opacity.size(), static_cast<std::size_t>(opacity.numel()));
  for (std::size_t i = 0; i < map->opacity.size(); ++i)
    ASSERT_NEAR(map->opacity[i], opacity.const_data_ptr<float>()[i], 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Architectures, Parity,
                         testing::Values("cnn3", "efficientnet-lite0", "efficientnet-lite2", "mobilenet-v2"));

}  // namespace
}  // namespace xray
