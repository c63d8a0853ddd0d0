#include "diagnose/selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SelftestTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(test::write_tiny_package(package())); }

  fs::path package() const { return dir_ / "tiny"; }

  /// As `xray model pin` would; asked once for all tests, since drawing takes its time.
  void pin() const {
    static const Selftest kSelftest = pin_selftest(package()).value();
    ASSERT_TRUE(write_selftest(package(), kSelftest));
  }

  /// What the self-test says of the package as it lies there.
  Result<std::string> run() const {
    const auto diagnoser = make_diagnoser(package());
    if (!diagnoser) return diagnoser.error();
    return run_selftest(**diagnoser,
                        [&](std::span<const std::byte> bytes) { return (*diagnoser)->diagnose(bytes); });
  }

  /// Changes one thing of the card, which no checksum covers.
  template <typename Change>
  void tamper(const Change& change) const {
    ModelCard card = load_package(package()).value().card;
    change(card);
    ASSERT_TRUE(write_package(package(), card, {test::tiny_network()}));
  }

  test::TempDir dir_;
};

TEST_F(SelftestTest, HoldsForThePackageItWasPinnedOn) {
  pin();
  const auto passed = run();
  ASSERT_TRUE(passed) << passed.error().message;
  EXPECT_EQ(*passed, "6 pinned pictures");
}

TEST_F(SelftestTest, SurvivesBeingWrittenAndRead) {
  pin();
  const Selftest selftest = find_selftest(package()).value().value();
  EXPECT_EQ(selftest.pictures.size(), 6U);
  ASSERT_TRUE(selftest.fp32);
  EXPECT_FALSE(selftest.int8);
  EXPECT_EQ(selftest.fp32->sha256, load_package(package())->card.network.fp32.sha256);
  EXPECT_EQ(to_json(selftest_from_json(to_json(selftest)).value()), to_json(selftest));
}

TEST_F(SelftestTest, SaysWhichPictureFailsAndByHowMuch) {
  pin();
  tamper([](ModelCard& card) { card.calibration.intercept += 0.2; });
  const auto failed = run();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(failed.error().message, HasSubstr("picture 1 of 6 (chest 1, PNG)"));
  EXPECT_THAT(failed.error().message, HasSubstr("log-odds off by 0.2, more than 0.02"));
}

TEST_F(SelftestTest, SeesAThresholdThatMoved) {
  pin();
  tamper([](ModelCard& card) { card.threshold = 1e-6; });
  EXPECT_THAT(run().error().message, HasSubstr("pneumonia instead of normal"));
}

TEST_F(SelftestTest, SeesAnInputThatIsPreparedInAnotherWay) {
  pin();
  tamper([](ModelCard& card) { card.input.mean = 126; });
  EXPECT_THAT(run().error().message, HasSubstr("log-odds off"));
}

TEST_F(SelftestTest, SaysThatAnotherNetworkWasPinned) {
  pin();
  Selftest selftest = find_selftest(package()).value().value();
  selftest.fp32->sha256 = std::string(64, '0');
  ASSERT_TRUE(write_selftest(package(), selftest));
  EXPECT_THAT(run().error().message, HasSubstr("network.onnx is not the network that was pinned"));
}

TEST_F(SelftestTest, ContentsItselfWithOnePictureWhereNothingIsPinned) {
  EXPECT_EQ(run().value(), kNoPinnedSelftest);
  const auto diagnoser = make_diagnoser(package());
  const auto broken = [](std::span<const std::byte>) -> Result<Finding> {
    return Error{ErrorCode::kInternal, "out of order"};
  };
  EXPECT_THAT(run_selftest(**diagnoser, broken).error().message, HasSubstr("out of order"));
}

TEST_F(SelftestTest, StopsWhenAskedTo) {
  pin();
  const auto diagnoser = make_diagnoser(package());
  std::stop_source stop;
  const auto examine = [&](std::span<const std::byte> bytes) {
    stop.request_stop();
    return (*diagnoser)->diagnose(bytes);
  };
  EXPECT_EQ(run_selftest(**diagnoser, examine, stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST_F(SelftestTest, NamesTheFieldThatIsWrong) {
  pin();
  const auto good = to_json(find_selftest(package()).value().value());
  const auto error_with = [&](const char* pointer, const nlohmann::ordered_json& value) {
    auto json = good;
    json[nlohmann::ordered_json::json_pointer(pointer)] = value;
    const auto read = selftest_from_json(json);
    return read ? std::string() : read.error().message;
  };
  EXPECT_THAT(error_with("/format", 2), HasSubstr("selftest.format"));
  EXPECT_THAT(error_with("/pictures", nlohmann::ordered_json::array()), HasSubstr("selftest.pictures"));
  EXPECT_THAT(error_with("/pictures/0/scale", 100), HasSubstr("selftest.pictures.scale"));
  EXPECT_THAT(error_with("/pictures/0/crop", 0.5), HasSubstr("selftest.pictures.crop"));
  EXPECT_THAT(error_with("/fp32/findings/1/verdict", "fine"), HasSubstr("selftest.findings.verdict"));
  EXPECT_THAT(error_with("/fp32/tolerance/log_odds", "much"), HasSubstr("selftest.fp32.tolerance.log_odds"));
  auto fewer = good["pictures"];
  fewer.erase(0);
  EXPECT_THAT(error_with("/pictures", fewer), HasSubstr("selftest.fp32"));
  ASSERT_TRUE(write_file(package() / "selftest.json", std::string_view("no JSON")));
  EXPECT_EQ(run().error().code, ErrorCode::kBadModel);
}

}  // namespace
}  // namespace xray
