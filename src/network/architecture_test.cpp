#include "network/architecture.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(Architecture, HasTheBlocksOfThePapers) {
  EXPECT_EQ(find_architecture("efficientnet-lite0")->blocks.size(), 16U);
  EXPECT_EQ(find_architecture("efficientnet-lite1")->blocks.size(), 21U);
  EXPECT_EQ(find_architecture("mobilenet-v2")->blocks.size(), 17U);
}

TEST(Architecture, ScalesWidthsToMultiplesOfEight) {
  const Architecture lite2 = *find_architecture("efficientnet-lite2");
  EXPECT_EQ(lite2.blocks.front().out, 16);
  EXPECT_EQ(lite2.blocks.back().out, 352);
}

TEST(Architecture, HalvesTheGridFiveTimesCountingTheStem) {
  for (const char* name :
       {"efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "mobilenet-v2"}) {
    int halvings = 1;
    for (const InvertedResidual& block : find_architecture(name)->blocks)
      halvings += block.stride == 2 ? 1 : 0;
    EXPECT_EQ(halvings, 5) << name;
  }
}

TEST(Architecture, NamesTheChoicesForAnUnknownName) {
  const Result<Architecture> found = find_architecture("resnet");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(found.error().message.find("mobilenet-v2"), std::string::npos);
}

}  // namespace
}  // namespace xray
