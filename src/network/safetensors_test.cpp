#include "network/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

std::string file_of(const std::string& header, std::span<const float> data) {
  const std::uint64_t size = header.size();
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(data.data()), data.size_bytes());
  return bytes;
}

class SafetensorsTest : public testing::Test {
 protected:
  Result<WeightArrays> read(const std::string& bytes) {
    EXPECT_TRUE(write_file(dir_ / "w.safetensors", bytes));
    return read_safetensors(dir_ / "w.safetensors");
  }
  test::TempDir dir_;
};

TEST_F(SafetensorsTest, ReadsNamesShapesAndValues) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const auto arrays = read(file_of(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                                   R"("n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})",
                                   values));
  ASSERT_TRUE(arrays) << arrays.error().message;
  ASSERT_EQ(arrays->size(), 1U);
  EXPECT_EQ(arrays->at("a").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(arrays->at("a").values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST_F(SafetensorsTest, RefusesWhatDoesNotAddUp) {
  const float values[] = {1, 2};
  for (const char* header : {
           R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}})",   // beyond the file
           R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",    // another size than its shape
           R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",   // negative
           R"({"a":{"dtype":"F32","shape":"two","data_offsets":[0,8]}})",  // not a shape
           R"({"a":)",                                                     // not JSON
       }) {
    const auto arrays = read(file_of(header, values));
    ASSERT_FALSE(arrays) << header;
    EXPECT_EQ(arrays.error().code, ErrorCode::kDamaged);
  }
  EXPECT_EQ(read("abc").error().code, ErrorCode::kDamaged);
  EXPECT_EQ(read(std::string(8, '\xff')).error().code, ErrorCode::kDamaged);
}

TEST(Safetensors, TellsThatTheFileIsMissing) {
  EXPECT_EQ(read_safetensors("/nonexistent/w.safetensors").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace xray
