#include "diagnose/finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

TEST(FindingJson, HasTheFieldsInTheirOrder) {
  const Finding finding{.verdict = Verdict::kPneumonia,
                        .normal = 2.66666,
                        .pneumonia = 97.33334,
                        .bacterial = 81.25,
                        .viral = 18.75,
                        .model = "tiny 1",
                        .timing = {.decode = 1.234, .preprocess = 2, .infer = 3, .total = 6.5},
                        .width = 640,
                        .height = 480};
  EXPECT_EQ(to_json(finding).dump(),
            R"({"schema":2,"verdict":"pneumonia","percent":{"normal":2.67,"pneumonia":97.33},)"
            R"("confidence":97.33,"subtype":{"bacterial":81.25,"viral":18.75},"reasons":[],)"
            R"("model":"tiny 1","milliseconds":6.5,)"
            R"("timing":{"decode":1.23,"preprocess":2.0,"infer":3.0},"picture":{"width":640,"height":480}})");
}

TEST(FindingJson, LeavesOutAKindThatIsUnknownOrOfNoPneumonia) {
  EXPECT_FALSE(to_json(Finding{.normal = 100}).contains("subtype"));
  EXPECT_FALSE(
      to_json(Finding{.normal = 90, .pneumonia = 10, .bacterial = 60, .viral = 40}).contains("subtype"));
}

TEST(FindingJson, GivesNoPercentagesOfWhatIsRejected) {
  const Json json = to_json(Finding{.verdict = Verdict::kRejected, .reasons = {Reason::kUpsideDown}});
  EXPECT_EQ(json["verdict"], "rejected");
  EXPECT_FALSE(json.contains("percent"));
  EXPECT_FALSE(json.contains("confidence"));
  EXPECT_EQ(json["reasons"].dump(), R"([{"code":"upside_down","text":"The film is upside down"}])");
}

TEST(FindingNames, ComeBack) {
  for (const Verdict verdict :
       {Verdict::kNormal, Verdict::kPneumonia, Verdict::kUncertain, Verdict::kRejected})
    EXPECT_EQ(verdict_from(name(verdict)), verdict);
  EXPECT_FALSE(verdict_from("maybe"));
  for (std::size_t i = 0; i < kReasonNames.size(); ++i) {
    const auto reason = reason_from(kReasonNames[i]);
    ASSERT_TRUE(reason);
    EXPECT_STREQ(name(*reason), kReasonNames[i]);
    EXPECT_STRNE(describe(*reason), "");
  }
  EXPECT_FALSE(reason_from("because"));
}

TEST(FindingJson, ShowsPercentagesThatAddUpTo100) {
  // Rounded each for itself, both halves would end in .01.
  const Json json = to_json(Finding{.normal = 50.005, .pneumonia = 49.995});
  EXPECT_DOUBLE_EQ(json["percent"]["normal"].get<double>() + json["percent"]["pneumonia"].get<double>(), 100);
}

}  // namespace
}  // namespace xray
