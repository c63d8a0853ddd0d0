#include "serve/rest/request_json.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

using Shape = std::vector<std::int64_t>;

/// The numbers of a value that has nothing else.
JsonNumbers numbers(std::string_view text) {
  auto parsed = parse_request_json(text);
  EXPECT_TRUE(parsed.ok()) << text;
  JsonNumbers* const found = parsed ? parsed->as<JsonNumbers>() : nullptr;
  return found == nullptr ? JsonNumbers{} : *found;
}

TEST(RequestJson, KeepsRectangularNumbersTogether) {
  EXPECT_EQ(numbers("[1, -2.5, 1e3]").shape, Shape{3});
  EXPECT_EQ(numbers("[1, -2.5, 1e3]").values, (std::vector<double>{1, -2.5, 1000}));
  EXPECT_EQ(numbers("[[[1,2],[3,4],[5,6]]]").shape, (Shape{1, 3, 2}));
  EXPECT_EQ(numbers("[[[1,2],[3,4],[5,6]]]").values, (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(numbers("[]").shape, Shape{0});
  EXPECT_EQ(numbers("[[],[]]").shape, (Shape{2, 0}));
}

TEST(RequestJson, KeepsEverythingElseAsItIs) {
  auto parsed = parse_request_json(R"({"a": [{"b64": "eA=="}, true, null], "b": {"c": -7}, "d": [2]})");
  ASSERT_TRUE(parsed.ok());
  auto* const a = parsed->find("a")->as<JsonValue::Array>();
  ASSERT_NE(a, nullptr);
  ASSERT_EQ(a->size(), 3U);
  EXPECT_EQ(*(*a)[0].find("b64")->as<std::string>(), "eA==");
  EXPECT_TRUE(*(*a)[1].as<bool>());
  EXPECT_EQ(*parsed->find("b")->find("c")->as<double>(), -7);
  EXPECT_EQ(parsed->find("d")->as<JsonNumbers>()->shape, Shape{1});
  EXPECT_EQ(parsed->find("e"), nullptr);
  EXPECT_EQ(parsed->find("b")->find("c")->find("d"), nullptr);
}

TEST(RequestJson, RefusesWhatIsMixedOrNoJson) {
  for (const std::string text : {"", "{", "[1,", "[1]]", "nul", "{\"a\" 1}", "[1, \"a\"]", "[\"a\", 1]",
                                 "[1, [2]]", "[[1], 2]", "[[1], [2, 3]]", "[[1], [[2]]]", "[[], 1]",
                                 "[{}, []]", "{\"a\": 1, \"a\": 2}", "[1e999]", "[\"\xFF\"]", "[NaN]"})
    EXPECT_EQ(parse_request_json(text).error().code, ErrorCode::kInvalidArgument) << text;
}

TEST(RequestJson, BoundsDepthAndCounts) {
  const std::string deep(17, '[');
  EXPECT_EQ(parse_request_json(deep + std::string(17, ']')).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(parse_request_json(deep.substr(1) + std::string(16, ']')).ok());
  const JsonLimits limits{.max_numbers = 3, .max_values = 2};
  EXPECT_TRUE(parse_request_json("[1,2,3]", limits).ok());
  EXPECT_EQ(parse_request_json("[1,2,3,4]", limits).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse_request_json("[[],[],[],[]]", limits).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(parse_request_json(R"(["a","b"])", limits).ok());
  EXPECT_EQ(parse_request_json(R"(["a","b","c"])", limits).error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace xray
