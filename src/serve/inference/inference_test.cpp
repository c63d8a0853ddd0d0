#include "serve/inference/inference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "image/encode.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

/// The tiny model behind an Inference that takes four pictures at one time.
class InferenceTest : public testing::Test {
 protected:
  static ModelSet tiny_models() {
    const TempDir temp;
    if (!write_tiny_package(temp / "tiny").ok()) throw std::runtime_error("no package");
    return ModelSet(served(make_diagnoser(temp / "tiny", {.max_pixels = 1'000'000}).value()));
  }

  Result<std::vector<OutputTensor>> infer(const std::vector<InputTensor>& inputs,
                                          const std::vector<std::string>& wanted = {}) {
    return inference_.infer(*models_.primary(), inputs, wanted);
  }

  ErrorCode refusal(const std::vector<InputTensor>& inputs, const std::vector<std::string>& wanted = {}) {
    const auto answer = infer(inputs, wanted);
    return answer ? ErrorCode::kInternal : answer.error().code;
  }

  static InputTensor images(const StringElements& strings) {
    return {"image", DataType::kBytes, {static_cast<std::int64_t>(strings.size())}, strings};
  }

  const Image clear_film_ = make_phantom();
  const Image opaque_film_ = make_phantom({.opacity = 1});
  const Bytes clear_ = encode_png(clear_film_).value();
  const Bytes opaque_ = encode_png(opaque_film_).value();
  const Bytes too_small_ = encode_png(Image(8, 8, Image::Pixels8(64))).value();
  ModelSet models_ = tiny_models();
  Inference inference_{models_, {.max_pictures = 4}};
};

const std::vector<float>& floats(const OutputTensor& tensor) {
  return std::get<std::vector<float>>(tensor.elements);
}

const std::vector<std::string>& texts(const OutputTensor& tensor) {
  return std::get<std::vector<std::string>>(tensor.elements);
}

TEST_F(InferenceTest, SaysOfEveryPictureWhatTheDiagnoserSays) {
  const auto answer = infer({images({clear_, opaque_})});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  ASSERT_EQ(answer->size(), output_specs().size());
  const std::vector<Bytes> pictures = {clear_, opaque_};
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Finding finding = models_.primary()->diagnoser->diagnose(pictures[i]).value();
    EXPECT_FLOAT_EQ(floats((*answer)[0])[i], static_cast<float>(finding.normal / 100));
    EXPECT_FLOAT_EQ(floats((*answer)[1])[i], static_cast<float>(finding.pneumonia / 100));
    EXPECT_EQ(texts((*answer)[2])[i], name(finding.verdict));
    const auto json = nlohmann::json::parse(texts((*answer)[3])[i]);
    EXPECT_EQ(json.at("percent"), to_json(finding).at("percent"));
    EXPECT_EQ(json.at("picture").at("width"), clear_film_.width());
  }
  EXPECT_EQ(texts((*answer)[2]), (std::vector<std::string>{"normal", "pneumonia"}));
  for (std::size_t t = 0; t < answer->size(); ++t) {
    EXPECT_EQ((*answer)[t].name, output_specs()[t].name);
    EXPECT_EQ((*answer)[t].type(), output_specs()[t].type);
    EXPECT_EQ((*answer)[t].shape, (std::vector<std::int64_t>{2, 1}));
  }
}

TEST_F(InferenceTest, ScoresPixelsAsTheirPicture) {
  const auto from_file = infer({images({opaque_})}, {"pneumonia"});
  const std::vector<std::int64_t> shape = {1, opaque_film_.height(), opaque_film_.width()};
  const auto levels = opaque_film_.pixels8();
  const auto from_bytes = infer({{"pixels", DataType::kUint8, shape, std::as_bytes(levels)}}, {"pneumonia"});
  const std::vector<float> real(levels.begin(), levels.end());
  const auto from_floats =
      infer({{"pixels", DataType::kFp32, shape, std::as_bytes(std::span(real))}}, {"pneumonia"});
  ASSERT_TRUE(from_file.ok() && from_bytes.ok() && from_floats.ok());
  EXPECT_EQ(floats(from_bytes->front()), floats(from_file->front()));
  EXPECT_NEAR(floats(from_floats->front())[0], floats(from_file->front())[0], 1e-5);
}

TEST_F(InferenceTest, GivesRejectedPicturesNoProbabilities) {
  const auto answer = infer({images({too_small_, clear_})});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_TRUE(std::isnan(floats((*answer)[0])[0]));
  EXPECT_TRUE(std::isnan(floats((*answer)[1])[0]));
  EXPECT_EQ(texts((*answer)[2])[0], "rejected");
  EXPECT_FALSE(nlohmann::json::parse(texts((*answer)[3])[0]).contains("percent"));
  EXPECT_FALSE(std::isnan(floats((*answer)[1])[1]));
}

TEST_F(InferenceTest, GivesTheOutputsThatAreWantedInTheirOrder) {
  const auto answer = infer({images({clear_})}, {"verdict", "normal"});
  ASSERT_TRUE(answer.ok());
  ASSERT_EQ(answer->size(), 2U);
  EXPECT_EQ((*answer)[0].name, "verdict");
  EXPECT_EQ((*answer)[1].name, "normal");
  EXPECT_EQ(refusal({images({clear_})}, {"heat"}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({images({clear_})}, {"normal", "normal"}), ErrorCode::kInvalidArgument);
}

TEST_F(InferenceTest, TakesStringsInRawFormAndInColumns) {
  const std::string picture(reinterpret_cast<const char*>(clear_.data()), clear_.size());
  const Bytes raw = raw_elements({"image", {2, 1}, std::vector{picture, picture}});
  EXPECT_TRUE(infer({{"image", DataType::kBytes, {2, 1}, RawElements(raw)}}).ok());
  EXPECT_EQ(refusal({{"image", DataType::kBytes, {3}, RawElements(raw)}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{"image", DataType::kBytes, {1, 2}, RawElements(raw)}}), ErrorCode::kInvalidArgument);
}

TEST_F(InferenceTest, RefusesTensorsThatItDoesNotKnow) {
  const InputTensor image = images({clear_});
  InputTensor other = image;
  other.name = "input_1";
  EXPECT_EQ(refusal({}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({other}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({image, image}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({{"image", DataType::kUint8, {4}, RawElements(clear_).first(4)}}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({images({})}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal({images(StringElements(5, clear_))}), ErrorCode::kTooLarge);
  EXPECT_EQ(refusal({{"pixels", DataType::kUint8, {5, 1, 1}, RawElements(clear_).first(5)}}),
            ErrorCode::kTooLarge);
}

TEST_F(InferenceTest, NamesThePictureThatCannotBeRead) {
  const Bytes nonsense(100);
  const auto answer = infer({images({clear_, nonsense})});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, ErrorCode::kNotAPicture);
  EXPECT_TRUE(answer.error().message.starts_with("image[1]: ")) << answer.error().message;
}

TEST_F(InferenceTest, TellsObserversAndGivesUpWhenNobodyWaits) {
  struct Count final : FindingObserver {
    int findings = 0;
    void on_finding(const ServedModel&, std::span<const std::byte>, const Result<Finding>&) override {
      ++findings;
    }
  } count;
  models_.add_observer(count);
  EXPECT_TRUE(infer({images({clear_, clear_, clear_})}).ok());
  EXPECT_EQ(count.findings, 3);
  std::stop_source gone;
  gone.request_stop();
  const std::vector<InputTensor> inputs = {images({clear_})};
  const auto answer = inference_.infer(*models_.primary(), inputs, {}, gone.get_token());
  EXPECT_EQ(answer.error().code, ErrorCode::kCancelled);
  EXPECT_EQ(count.findings, 3);
}

}  // namespace
}  // namespace xray::test
