#include "common/text.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(Printable, LeavesNothingThatATerminalObeys) {
  EXPECT_EQ(printable("a\033[2Jb\nc\x7F"), "a?[2Jb?c?");
  EXPECT_EQ(printable("Röntgen 1.png"), "Röntgen 1.png");
}

}  // namespace
}  // namespace xray
