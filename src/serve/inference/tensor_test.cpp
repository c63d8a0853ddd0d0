#include "serve/inference/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace xray {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Tensor, KnowsEveryTypeByItsName) {
  for (int i = 0; i <= static_cast<int>(DataType::kBytes); ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(data_type_from(name(type)), type);
    EXPECT_EQ(size_of(type) == 0, type == DataType::kBytes);
  }
  EXPECT_EQ(data_type_from("STRING"), std::nullopt);
  EXPECT_EQ(size_of(DataType::kFp64), 8U);
}

TEST(Tensor, CountsElementsWithoutOverflow) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(*element_count(Shape{}), 1U);
  EXPECT_EQ(*element_count(Shape{2, 3, 4}), 24U);
  EXPECT_EQ(*element_count(Shape{kHuge / 4, 0, kHuge}), 0U);
  for (const Shape& shape : {Shape{-1}, Shape{kHuge, 2}, Shape{1LL << 32, 1LL << 32, 1LL << 32}})
    EXPECT_EQ(element_count(shape).error().code, ErrorCode::kInvalidArgument) << describe_shape(shape);
}

TEST(Tensor, SplitsWhatItJoins) {
  const OutputTensor tensor{"t", {3, 1}, std::vector<std::string>{"a", "", std::string("\0b", 2)}};
  const Bytes raw = raw_elements(tensor);
  ASSERT_EQ(raw.size(), 3 * 4 + 3U);
  const auto strings = split_strings(raw, 3);
  ASSERT_TRUE(strings.ok());
  ASSERT_EQ(strings->size(), 3U);
  EXPECT_EQ(text_of((*strings)[0]), "a");
  EXPECT_EQ(text_of((*strings)[1]), "");
  EXPECT_EQ(text_of((*strings)[2]), std::string_view("\0b", 2));
  EXPECT_EQ(raw_elements({"t", {2}, std::vector<float>{1, 2}}).size(), 8U);
}

TEST(Tensor, RefusesStringsThatEndEarlyOrAreTooMany) {
  const Bytes raw = raw_elements({"t", {2}, std::vector<std::string>{"abc", "d"}});
  EXPECT_EQ(split_strings(raw, 1).error().code, ErrorCode::kTooLarge);
  for (std::size_t size = 1; size < raw.size(); ++size) {
    if (size == 7) continue;  // the first string alone
    EXPECT_EQ(split_strings(RawElements(raw).first(size), 9).error().code, ErrorCode::kInvalidArgument)
        << size;
  }
}

}  // namespace
}  // namespace xray
