#include "tune/space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace xray {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

Space space_of(const std::string& toml) {
  auto space = Space::parse(toml);
  EXPECT_TRUE(space) << (space ? "" : space.error().message);
  return std::move(*space);
}

std::string error_of(const std::string& toml) {
  const auto space = Space::parse(toml);
  return space ? "" : space.error().message;
}

const std::string kBranches = R"(
[fixed]
input = 64
[parameters.arch]
type = "choice"
values = ["cnn3", "mobilenet-v2"]
[parameters.cnn]
when = { arch = "cnn3" }
[parameters.cnn.filters]
type = "int"
min = 8
max = 32
step = 8
[parameters.cnn.lr]
type = "float"
min = 1e-4
max = 1e-2
scale = "log"
[parameters.mobile.lr]
type = "float"
min = 1e-5
max = 1e-3
scale = "log"
when = { arch = "mobilenet-v2" }
[parameters.augment.gamma]
type = "float"
min = 0.0
max = 1.0
[parameters.no-augment]
type = "bool"
)";

TEST(Space, SpreadsValuesEvenlyOnTheirScale) {
  const Space space = space_of(R"(
[parameters.lr]
type = "float"
min = 1e-4
max = 1.0
scale = "log"
[parameters.late]
type = "float"
min = 1.0
max = 100.0
scale = "reverse-log"
[parameters.n]
type = "int"
min = 1
max = 3
[parameters.even]
type = "int"
min = 2
max = 11
step = 3
[parameters.doubled]
type = "int"
min = 16
max = 128
scale = "log"
step = 2
)");
  const std::vector<Parameter>& p = space.parameters();
  EXPECT_NEAR(p[0].at(0.5).get<double>(), 1e-2, 1e-9);
  EXPECT_NEAR(p[0].unit(1e-2), 0.5, 1e-9);
  // Reversed: half of the range lies within a tenth of the upper end.
  EXPECT_NEAR(p[1].at(0.5).get<double>(), 91, 1e-6);
  EXPECT_NEAR(p[1].unit(91.0), 0.5, 1e-6);
  std::map<int, int> counts;
  for (int i = 0; i < 300; ++i) ++counts[p[2].at((i + 0.5) / 300).get<int>()];
  EXPECT_THAT(counts, ElementsAre(std::pair(1, 100), std::pair(2, 100), std::pair(3, 100)));
  std::set<int> even;
  for (int i = 0; i < 40; ++i) even.insert(p[3].at(i / 39.0).get<int>());
  EXPECT_THAT(even, ElementsAre(2, 5, 8, 11));
  std::set<int> doubled;
  for (int i = 0; i < 40; ++i) doubled.insert(p[4].at(i / 39.0).get<int>());
  EXPECT_THAT(doubled, ElementsAre(16, 32, 64, 128));
}

TEST(Space, ReadsBackWhatItGives) {
  const Space space = space_of(kBranches);
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const Configuration configuration = space.random(random);
    EXPECT_TRUE(space.accepts(configuration)) << configuration;
    // Through a database and back.
    EXPECT_TRUE(space.accepts(Configuration::parse(configuration.dump()))) << configuration;
    for (const Parameter& parameter : space.parameters()) {
      if (!configuration.contains(parameter.name)) continue;
      EXPECT_EQ(parameter.at(parameter.unit(configuration[parameter.name])), configuration[parameter.name]);
    }
  }
}

TEST(Space, HasParametersOnlyWhereTheirParentSaysSo) {
  const Space space = space_of(kBranches);
  Random random(1);
  for (int i = 0; i < 50; ++i) {
    const Configuration configuration = space.random(random);
    const bool plain = configuration["arch"] == "cnn3";
    EXPECT_EQ(configuration.contains("cnn.filters"), plain);
    EXPECT_EQ(configuration.contains("cnn.lr"), plain);
    EXPECT_EQ(configuration.contains("mobile.lr"), !plain);
  }
  Configuration wrong = space.defaults();
  wrong["mobile.lr"] = 1e-4;
  EXPECT_FALSE(space.accepts(wrong));
}

TEST(Space, SpeaksTheTrainersCommandLine) {
  const Space space = space_of(kBranches);
  const Configuration configuration = {{"input", 64},    {"arch", "cnn3"},       {"cnn.filters", 16},
                                       {"cnn.lr", 1e-3}, {"augment.gamma", 0.5}, {"no-augment", true}};
  EXPECT_THAT(space.arguments(configuration),
              ElementsAre("--input", "64", "--arch", "cnn3", "--filters", "16", "--lr", "0.001", "--augment",
                          "gamma=0.5", "--no-augment"));
}

TEST(Space, WalksTheGridBranchByBranch) {
  const Space space = space_of(R"(
[parameters.arch]
type = "choice"
values = ["cnn3", "mobilenet-v2"]
[parameters.kernel]
type = "choice"
values = [3, 5]
when = { arch = "cnn3" }
[parameters.dropout]
type = "float"
min = 0.0
max = 0.4
)");
  EXPECT_EQ(space.grid_size(3, 1000), 9U);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < 9; ++i) seen.insert(space.grid(i, 3).dump());
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_TRUE(space.grid(9, 3).is_null());
  EXPECT_EQ(seen.count(R"({"arch":"cnn3","kernel":5,"dropout":0.2})"), 1U);
}

TEST(Space, TakesOtherLettersInStringsAndCommentsAlone) {
  // What the parser itself has no defined answer to: a byte order mark that comes late, bare letters.
  EXPECT_THAT(error_of("\n\xEF\xBB\xBD"), HasSubstr("line 2: a letter outside of ASCII"));
  EXPECT_THAT(error_of("# größe\n[parameters.größe]\ntype = \"bool\""), HasSubstr("line 2: a letter"));
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"choice\"\nvalues = [\"\"\"x\ny\"\"\", é]"),
              HasSubstr("line 4: a letter"));
  const Space space = space_of(R"(# größe "
[parameters.a] # '
type = "choice"
values = ["é\"è", 'ö\', '''
ü''', """
ä"""""]
default = "é\"è"
)");
  EXPECT_EQ(space.parameters().front().values, (std::vector<Json>{"é\"è", "ö\\", "ü", "ä\"\""}));
  EXPECT_TRUE(Space::parse("\xEF\xBB\xBF[parameters.a]\ntype = \"bool\"\n"));
}

TEST(Space, RefusesWhatMakesNoSense) {
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"int\"\nmin = 3\nmax = 1"), HasSubstr("min is above max"));
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"float\"\nmin = 0.0\nmax = 1.0\nscale = \"log\""),
              HasSubstr("a log scale begins above 0"));
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"fish\""), HasSubstr("not 'fish'"));
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"int\"\nmin = 1\nmax = 3\nmiddle = 2"),
              HasSubstr("int has no 'middle'"));
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"bool\"\nwhen = { b = 1 }"), HasSubstr("there is no 'b'"));
  EXPECT_THAT(
      error_of(
          "[parameters.a]\ntype = \"bool\"\nwhen = { b = true }\n[parameters.b]\ntype = \"bool\"\nwhen = "
          "{ a = true }"),
      HasSubstr("circle"));
  EXPECT_THAT(error_of("[parameters.x.lr]\ntype = \"bool\"\n[parameters.y.lr]\ntype = \"bool\""),
              HasSubstr("same option"));
  EXPECT_THAT(error_of("[parameters.a]\ntype = \"choice\"\nvalues = [1]\ndefault = 2"), HasSubstr("line 4"));
  EXPECT_THAT(error_of("[parameters.a\n"), HasSubstr("line 1"));
  EXPECT_THAT(error_of(""), HasSubstr("no parameters"));
  EXPECT_THAT(error_of("[other]\na = 1"), HasSubstr("neither"));
}

}  // namespace
}  // namespace xray
