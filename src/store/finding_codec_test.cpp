#include "store/finding_codec.h"

#include <gtest/gtest.h>

#include "store/sample_finding.h"

namespace xray::test {
namespace {

/// The code of what comes of a stored finding in which `from` has become `to`.
ErrorCode code_after(const std::string& from, const std::string& to) {
  std::string text = encode_finding(sample_finding());
  text.replace(text.find(from), from.size(), to);
  return decode_finding(text).error().code;
}

TEST(FindingCodec, RefusesAGridOfTheWrongSize) {
  ASSERT_TRUE(decode_finding(encode_finding(sample_finding())));
  EXPECT_EQ(code_after("\"width\":3", "\"width\":4"), ErrorCode::kStorage);
  EXPECT_EQ(code_after("\"height\":2,\"values\"", "\"height\":-2,\"values\""), ErrorCode::kStorage);
  EXPECT_EQ(code_after("\"height\":2,", "\"height\":2.0,"), ErrorCode::kStorage);
}

TEST(FindingCodec, RefusesNumbersOutOfRange) {
  EXPECT_EQ(code_after("97.1", "197.1"), ErrorCode::kStorage);
  EXPECT_EQ(code_after("61.5", "161.5"), ErrorCode::kStorage);
  EXPECT_EQ(code_after("\"width\":1024", "\"width\":0"), ErrorCode::kStorage);
  EXPECT_EQ(code_after("\"width\":1024", "\"width\":1099511627776"), ErrorCode::kStorage);
  EXPECT_EQ(code_after("0.75", "1e300"), ErrorCode::kStorage);
}

}  // namespace
}  // namespace xray::test
