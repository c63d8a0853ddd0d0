#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/test_command.h"
#include "common/file.h"
#include "common/random.h"
#include "diagnose/selftest.h"
#include "image/encode.h"
#include "infer/backend.h"
#include "model/card.h"
#include "model/onnx_writer.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSide = 64;

/// The tiny network with a layer in the middle: brightness, four copies of it of
/// several strengths, and the classes as weighted sums of them.
std::string three_layers() {
  constexpr int kCell = kSide / test::kTinyCells;
  const std::vector<float> mean(kCell * kCell, 1.0F / (kCell * kCell));
  const std::vector<float> shift = {127.0F / 128.0F};
  const std::vector<float> copies = {1.0F, 0.5F, 0.7F, 0.2F};
  const std::vector<float> nothing(4);
  const std::vector<float> gain = {0, 0, 0, 0, 10, 10, 5, 7.5F, 10, 10, 5, 7.5F};
  const std::vector<float> offset = {0.0F, -20.0F, -21.0F};
  OnnxWriter writer("three layers");
  const std::string brightness = writer.relu(
      writer.conv(writer.input("input", 1, kSide, kSide),
                  {.in = 1, .out = 1, .kernel = kCell, .stride = kCell, .weights = mean, .bias = shift}));
  const std::string middle =
      writer.relu(writer.conv(brightness, {.in = 1, .out = 4, .weights = copies, .bias = nothing}));
  const std::string maps = writer.conv(middle, {.in = 4, .out = 3, .weights = gain, .bias = offset});
  writer.output(writer.flatten(writer.global_average_pool(maps)), "logits", {-1, 3});
  return writer.finish();
}

class ModelQuantizeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(write_package(package(), test::tiny_card(), {three_layers()})); }

  fs::path package() const { return dir_ / "package"; }
  fs::path films() const { return dir_ / "films"; }

  /// Twenty patients of each class.
  void add_films() {
    for (const bool opaque : {false, true}) {
      fs::create_directories(films() / (opaque ? "PNEUMONIA" : "NORMAL"));
      for (std::uint64_t i = 0; i < 20; ++i) {
        const std::string number = std::to_string(i);
        const Image film = test::make_phantom(
            {.width = 96, .height = 96, .seed = 2 * i + (opaque ? 1 : 0), .opacity = opaque ? 1.0 : 0.0});
        const std::string file =
            opaque ? "PNEUMONIA/person" + number + "_bacteria_1.png" : "NORMAL/IM-" + number + "-0001.png";
        ASSERT_TRUE(write_file(films() / file, encode_png(film).value()));
      }
    }
  }

  /// Runs `xray model quantize PACKAGE --data FILMS --out OUT arguments...`; returns the exit code.
  int quantize(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"model",          "quantize", package().string(), "--data",
                                          films().string(), "--out",    out_.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const test::CommandRun run = test::run_command(add_model, std::move(arguments));
    out_text_ = run.out;
    err_text_ = run.err;
    return run.exit_code;
  }

  test::TempDir dir_;
  fs::path out_ = dir_ / "out";
  std::string out_text_;
  std::string err_text_;
};

TEST_F(ModelQuantizeTest, WritesAPackageWithBothNetworksAndTellsWhatEightBitCosts) {
  add_films();
  ASSERT_EQ(quantize(), kExitOk) << err_text_;
  EXPECT_THAT(out_text_, HasSubstr("1 of 3 layers compute in 8 bit"));
  EXPECT_THAT(out_text_, HasSubstr("AUC"));
  const auto written = load_package(out_);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(read_text(written->directory / written->card.network.fp32.name).value(), three_layers());
  ASSERT_TRUE(written->card.network.int8);
  const auto& about = written->card.about["int8"];
  EXPECT_EQ(about["calibration"]["side"], "train");
  EXPECT_EQ(about["comparison"]["pictures"], 4);
  EXPECT_EQ(about["comparison"]["auc"]["int8"], about["comparison"]["auc"]["fp32"]);
  EXPECT_LT(about["comparison"]["largest_change"].get<double>(), 0.05);
  EXPECT_EQ(written->card.about["intended_use"], "tests");
}

TEST_F(ModelQuantizeTest, MakesTheFasterNetworkTheOneThatIsAsked) {
  add_films();
  ASSERT_EQ(quantize(), kExitOk) << err_text_;
  const auto package = load_package(out_);
  ASSERT_TRUE(package);
  Random random(1);
  std::vector<float> input(std::size_t{kSide} * kSide);
  std::ranges::generate(input, [&] { return static_cast<float>(random.uniform(0, 0.5)); });
  const auto logit = [&](std::optional<Precision> precision) {
    return (*make_openvino_backend(*package, {.precision = precision}))->infer(input, 1)->front().logits[1];
  };
  EXPECT_EQ(logit(std::nullopt), logit(Precision::kInt8));
  EXPECT_NE(logit(std::nullopt), logit(Precision::kFp32));
  EXPECT_NEAR(logit(Precision::kInt8), logit(Precision::kFp32), 0.5F);
}

TEST_F(ModelQuantizeTest, MayAddToThePackageItReads) {
  add_films();
  out_ = package();
  ASSERT_EQ(quantize(), kExitOk) << err_text_;
  EXPECT_TRUE(load_package(package())->card.network.int8);
  EXPECT_TRUE(find_selftest(package()).value().value().int8);
  EXPECT_EQ(quantize(), kExitOk) << err_text_;
}

TEST_F(ModelQuantizeTest, LeavesOutFilmsThatCannotBeRead) {
  add_films();
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(write_file(films() / ("NORMAL/IM-" + std::to_string(100 + i) + "-0001.png"),
                           std::string_view("no picture")));
  EXPECT_EQ(quantize(), kExitOk) << err_text_;
  EXPECT_THAT(err_text_, HasSubstr("left out: "));
}

TEST_F(ModelQuantizeTest, TellsWrongUsageFromFailure) {
  EXPECT_EQ(quantize(), kExitSomeFailed);
  EXPECT_THAT(err_text_, HasSubstr("films"));
  add_films();
  EXPECT_EQ(quantize({"--pictures", "0"}), kExitUsage);
  ASSERT_TRUE(write_package(package(), test::tiny_card(), {"no network"}));
  EXPECT_EQ(quantize(), kExitSomeFailed);
  EXPECT_THAT(err_text_, HasSubstr("not an ONNX file"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST(ModelPin, WritesWhatTheModelSaysOfGeneratedPictures) {
  const test::TempDir dir;
  ASSERT_TRUE(test::write_tiny_package(dir / "tiny"));
  const test::CommandRun run = test::run_command(add_model, {"model", "pin", (dir / "tiny").string()});
  ASSERT_EQ(run.exit_code, kExitOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("chest 1, PNG"));
  EXPECT_THAT(run.out, HasSubstr("normal"));
  const Selftest selftest = find_selftest(dir / "tiny").value().value();
  ASSERT_TRUE(selftest.fp32);
  EXPECT_EQ(selftest.fp32->findings.size(), selftest.pictures.size());
}

TEST(ModelPin, SaysWhichPackageFails) {
  const test::TempDir dir;
  const test::CommandRun run = test::run_command(add_model, {"model", "pin", (dir / "none").string()});
  EXPECT_EQ(run.exit_code, kExitSomeFailed);
  EXPECT_THAT(run.err, HasSubstr("none: no such model package"));
  EXPECT_EQ(test::run_command(add_model, {"model", "pin"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace xray
