#include "network/classifier.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "support/temp_dir.h"

namespace xray {
namespace {

std::shared_ptr<Classifier> make(const char* name, int size) {
  torch::manual_seed(1);
  return make_classifier(*find_architecture(name), {.height = size, .width = size});
}

/// Folded weights of the right shapes for MobileNetV2, as scripts/convert-weights writes them.
std::filesystem::path write_folded_weights(const std::filesystem::path& path) {
  const Architecture net = *find_architecture("mobilenet-v2");
  nlohmann::json header;
  std::vector<float> data;
  int index = 0;
  const auto add = [&](std::vector<std::int64_t> shape) {
    const std::string conv = "conv" + std::to_string(index++);
    const torch::Tensor weight =
        torch::randn(shape) * std::sqrt(2.0 / static_cast<double>(shape[1] * shape[2] * shape[3]));
    const torch::Tensor bias = torch::randn({shape[0]}) * 0.1;
    for (const auto& [part, tensor] : {std::pair{".weight", weight}, std::pair{".bias", bias}}) {
      const std::size_t begin = data.size() * sizeof(float);
      const torch::Tensor flat = tensor.contiguous().flatten();
      data.insert(data.end(), flat.const_data_ptr<float>(), flat.const_data_ptr<float>() + flat.numel());
      header[conv + part] = {{"dtype", "F32"},
                             {"shape", tensor.sizes().vec()},
                             {"data_offsets", {begin, data.size() * sizeof(float)}}};
    }
  };
  add({net.stem, 3, 3, 3});
  for (const InvertedResidual& block : net.blocks) {
    const int wide = block.in * block.expand;
    if (block.expand != 1) add({wide, block.in, 1, 1});
    add({wide, 1, block.kernel, block.kernel});
    add({block.out, wide, 1, 1});
  }
  add({net.head, net.blocks.back().out, 1, 1});
  const std::string text = header.dump();
  const std::uint64_t size = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&size), sizeof size);
  file << text;
  file.write(reinterpret_cast<const char*>(data.data()),
             static_cast<std::streamsize>(data.size() * sizeof(float)));
  return path;
}

TEST(Classifier, GivesOneLogitPerClassWhateverTheArchitecture) {
  torch::NoGradGuard no_grad;
  for (const char* name : {"cnn3", "efficientnet-lite0", "mobilenet-v2"}) {
    const auto network = make(name, 64);
    network->eval();
    const torch::Tensor logits = network->forward(torch::randn({2, 1, 64, 64}));
    EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{2, 3})) << name;
    EXPECT_TRUE(torch::isfinite(logits).all().item<bool>()) << name;
  }
}

TEST(Classifier, RestartedBatchNormLeavesTheFunctionAsItWas) {
  torch::NoGradGuard no_grad;
  const test::TempDir dir;
  const auto network = make("mobilenet-v2", 64);
  ASSERT_TRUE(network->load_pretrained(write_folded_weights(dir / "w.safetensors")));
  network->eval();
  const torch::Tensor batch = torch::randn({16, 1, 64, 64});
  const torch::Tensor before = network->forward(batch);
  network->meet_pictures(batch);
  EXPECT_TRUE(torch::allclose(network->forward(batch), before, 1e-3, 1e-4));
  // And on the batch itself the statistics of training are those of evaluation, but for dropout.
  const auto dropped =
      make_classifier(*find_architecture("mobilenet-v2"), {.dropout = 0, .height = 64, .width = 64});
  torch::manual_seed(1);
  ASSERT_TRUE(dropped->load_pretrained(dir / "w.safetensors"));
  dropped->meet_pictures(batch);
  dropped->eval();
  const torch::Tensor evaluated = dropped->forward(batch);
  dropped->train();
  EXPECT_TRUE(torch::allclose(dropped->forward(batch), evaluated, 1e-2, 1e-2));
}

TEST(Classifier, RefusesWeightsOfAnotherNetwork) {
  const test::TempDir dir;
  const auto path = write_folded_weights(dir / "w.safetensors");
  EXPECT_EQ(make("efficientnet-lite1", 64)->load_pretrained(path).error().code, ErrorCode::kDamaged);
  EXPECT_EQ(make("cnn3", 64)->load_pretrained(path).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xray
