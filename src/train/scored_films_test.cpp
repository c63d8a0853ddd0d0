#include "train/scored_films.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::HasSubstr;

class ScoredFilms : public testing::Test {
 protected:
  Result<std::vector<ScoredFilm>> read(const std::string& csv) {
    EXPECT_TRUE(write_file(dir_ / "scores.csv", csv));
    return read_scored_films(dir_ / "scores.csv", dir_ / "films");
  }
  test::TempDir dir_;
  const std::string head_ =
      "image,patient,S-A,S-B,S-C,S-D,S-E,S-F,S-Global,J-A,J-B,J-C,J-D,J-E,J-F,license\n";
};

TEST_F(ScoredFilms, HoldTheMeanOfTheRatersAndTheTotalOfEach) {
  const auto films =
      read(head_ + "a.jpg,25,3,3,3,3,3,3,18,3,1,3,2,3,0,CC\nb.jpg,7,0,0,0,0,0,0,0,0,0,1,0,0,0,CC\n");
  ASSERT_TRUE(films) << films.error().message;
  ASSERT_EQ(films->size(), 2U);
  const ScoredFilm& first = films->front();
  EXPECT_EQ(first.path, dir_ / "films" / "a.jpg");
  EXPECT_EQ(first.patient, "25");
  EXPECT_DOUBLE_EQ(first.zones[1], 2);
  EXPECT_DOUBLE_EQ(first.zones[5], 1.5);
  // In the order of the raters' names.
  EXPECT_EQ(first.totals, (std::vector<double>{12, 18}));
}

TEST_F(ScoredFilms, AreRefusedWithTheLineThatIsWrong) {
  const auto message = [&](const std::string& csv) { return read(csv).error().message; };
  EXPECT_THAT(message(head_ + "a.jpg,25,3,3,3,3,3,4,18,3,1,3,2,3,0,CC\n"), HasSubstr("line 2"));
  EXPECT_THAT(message(head_ + "a.jpg,25,3\n"), HasSubstr("line 2"));
  EXPECT_EQ(read("image,patient,S-A\na,b,1\n").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read_scored_films(dir_ / "none.csv", dir_.path()).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace xray
