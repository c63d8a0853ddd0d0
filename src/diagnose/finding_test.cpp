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
            R"({"verdict":"pneumonia","percent":{"normal":2.67,"pneumonia":97.33},)"
            R"("subtype":{"bacterial":81.25,"viral":18.75},"model":"tiny 1","milliseconds":6.5,)"
            R"("timing":{"decode":1.23,"preprocess":2.0,"infer":3.0},"picture":{"width":640,"height":480}})");
}

TEST(FindingJson, LeavesOutAnUnknownSubtype) {
  EXPECT_FALSE(to_json(Finding{.normal = 100}).contains("subtype"));
}

TEST(FindingJson, ShowsPercentagesThatAddUpTo100) {
  // Rounded each for itself, both halves would end in .01.
  const Json json = to_json(Finding{.normal = 50.005, .pneumonia = 49.995});
  EXPECT_DOUBLE_EQ(json["percent"]["normal"].get<double>() + json["percent"]["pneumonia"].get<double>(), 100);
}

}  // namespace
}  // namespace xray
