#include "serve/models/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace xray {
namespace {

using ::testing::HasSubstr;

TEST(Labels, ReadsVersionsOfModels) {
  const auto labels = parse_labels(
      R"({"pediatric": {"stable": "2.1.0", "canary": "2.2.0"}, "adult": {"blue-1": "x"}, "z": {}})");
  ASSERT_TRUE(labels.ok()) << labels.error().message;
  EXPECT_EQ(labels->at("pediatric").at("stable"), "2.1.0");
  EXPECT_EQ(labels->at("pediatric").at("canary"), "2.2.0");
  EXPECT_EQ(labels->at("adult").at("blue-1"), "x");
  EXPECT_TRUE(labels->at("z").empty());
  EXPECT_TRUE(parse_labels("{}").value().empty());
}

TEST(Labels, SaysWhatIsWrong) {
  const auto problem_of = [](const std::string& text) {
    const auto labels = parse_labels(text);
    EXPECT_FALSE(labels.ok()) << text;
    EXPECT_EQ(labels.error().code, ErrorCode::kInvalidArgument);
    return labels.error().message;
  };
  for (const char* text : {"", "{", R"({"a": {"stable": "1"}} x)", "{\"a\": {\"stable\": \"\xFF\"}}"})
    EXPECT_THAT(problem_of(text), HasSubstr("is not JSON"));
  for (const char* text : {"[]", "null", "\"stable\"", "1", "true"})
    EXPECT_THAT(problem_of(text), HasSubstr("is not an object of models"));
  for (const char* text : {R"({"a": "1"})", R"({"a": []})", R"({"a": null})", R"({"a": 2.5})"})
    EXPECT_THAT(problem_of(text), HasSubstr("'a' is not an object of labels"));
  for (const char* text :
       {R"({"a": {"stable": 2}})", R"({"a": {"stable": {"x": "y"}}})", R"({"a": {"stable": ["1"]}})"})
    EXPECT_THAT(problem_of(text), HasSubstr("the version of 'a', 'stable', is not a text"));
  EXPECT_THAT(problem_of(R"({"a": {"stable": ""}})"), HasSubstr("is empty"));
  EXPECT_THAT(problem_of(R"({"": {}})"), HasSubstr("name is empty"));
  EXPECT_THAT(problem_of(R"({"a": {}, "a": {}})"), HasSubstr("'a' is given twice"));
  EXPECT_THAT(problem_of(R"({"a": {"x": "1", "x": "2"}})"), HasSubstr("'x', is given twice"));
  for (const auto& label :
       std::vector<std::string>{"", "Stable", "2.0", "a b", "\u00E4", std::string(33, 'a')})
    EXPECT_THAT(problem_of(R"({"a": {")" + label + R"(": "1"}})"), HasSubstr("is no label"));
}

TEST(Labels, BoundsSizeAndCount) {
  EXPECT_FALSE(parse_labels(std::string(kMaxLabelBytes + 1, ' ')).ok());
  EXPECT_FALSE(parse_labels(std::string(kMaxLabelBytes, '[')).ok());
  const auto of = [](int count, const std::string& value) {
    std::string text = "{";
    for (int i = 0; i < count; ++i)
      text.append(i == 0 ? "\"a" : ",\"a").append(std::to_string(i)).append("\":").append(value);
    return text + "}";
  };
  EXPECT_TRUE(parse_labels(of(256, "{}")).ok());
  EXPECT_FALSE(parse_labels(of(257, "{}")).ok());
  EXPECT_TRUE(parse_labels("{\"m\":" + of(16, "\"1\"") + "}").ok());
  EXPECT_FALSE(parse_labels("{\"m\":" + of(17, "\"1\"") + "}").ok());
}

}  // namespace
}  // namespace xray
