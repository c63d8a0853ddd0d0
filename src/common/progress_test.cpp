#include "common/progress.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(ProgressLine, TellsShareRateAndTimeLeft) {
  EXPECT_EQ(progress_line("reading", 120, 1000, 1.5, 80),
            "reading  [##..................]  120/1000  80.0/s  0:11 left");
  EXPECT_EQ(progress_line("reading", 1, 7200, 2.0, 80),
            "reading  [....................]  1/7200  0.50/s  3:59:58 left");
}

TEST(ProgressLine, FillsTheBarOnlyWhenAllIsDone) {
  EXPECT_EQ(progress_line("reading", 9999, 10000, 100, 80),
            "reading  [###################.]  9999/10000  100.0/s  0:01 left");
  EXPECT_EQ(progress_line("reading", 1000, 1000, 75, 80),
            "reading  [####################]  1000/1000  13.3/s  1:15");
}

TEST(ProgressLine, TellsTheTimeSoFarWithoutATotal) {
  EXPECT_EQ(progress_line("reading", 40, 0, 61, 80), "reading  40  0.66/s  1:01");
}

TEST(ProgressLine, HasNoRateBeforeTheFirstStep) {
  EXPECT_EQ(progress_line("reading", 0, 10, 0, 80), "reading  [....................]  0/10");
}

TEST(ProgressLine, FitsTheTerminal) {
  EXPECT_EQ(progress_line("reading", 120, 0, 1.5, 12), "reading  120");
}

TEST(Progress, SaysNothingWhereStandardErrorIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    Progress progress("reading", 3);
    progress.advance(3);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace xray
