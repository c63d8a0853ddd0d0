#include "dataset/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "common/file.h"
#include "common/random.h"
#include "support/shared_data.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DatasetTest : public testing::Test {
 protected:
  void add(const std::string& path) {
    const fs::path file = dir_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "x";
  }
  Dataset scan(const std::string& below = "") { return scan_dataset(dir_.path() / below).value(); }
  Sample only(const std::string& path) {
    add(path);
    const Dataset dataset = scan();
    EXPECT_EQ(dataset.samples.size(), 1U);
    return dataset.samples.at(0);
  }
  std::vector<std::string> paths(const Dataset& dataset) {
    std::vector<std::string> result;
    result.reserve(dataset.samples.size());
    for (const Sample& sample : dataset.samples)
      result.push_back(sample.path.lexically_relative(dir_.path()).generic_string());
    return result;
  }
  test::TempDir dir_;
};

TEST_F(DatasetTest, TellsAMissingFolderFromOneWithoutPictures) {
  EXPECT_EQ(scan_dataset(dir_ / "none").error().code, ErrorCode::kNotFound);
  add("NORMAL/readme.txt");
  add("picture.png");
  EXPECT_EQ(scan_dataset(dir_.path()).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(DatasetTest, FindsPicturesAtAnyDepthSortedByPath) {
  add("b/PNEUMONIA/deep/er/2.JPG");
  add("a/Normal/1.png");
  add("pneumonia/3.jpeg");
  add("NORMAL/4.dcm");
  EXPECT_THAT(paths(scan()),
              ElementsAre("NORMAL/4.dcm", "a/Normal/1.png", "b/PNEUMONIA/deep/er/2.JPG", "pneumonia/3.jpeg"));
}

TEST_F(DatasetTest, LeavesOutWhatIsNoFilmOfEitherClass) {
  add("NORMAL/kept.png");
  add("NORMAL/._kept.png");
  add("NORMAL/.hidden/a.png");
  add("NORMAL/notes.txt");
  add("NORMAL/masks/kept.png");
  add("lung_masks/NORMAL/kept.png");
  add("__MACOSX/NORMAL/kept.png");
  add("COVID/c.png");
  add("NORMALISED/d.png");
  add("loose.png");
  EXPECT_THAT(paths(scan()), ElementsAre("NORMAL/kept.png"));
}

TEST_F(DatasetTest, LetsTheNearestClassFolderDecide) {
  EXPECT_EQ(only("NORMAL/second/PNEUMONIA/a.png").label, Label::kPneumonia);
}

TEST_F(DatasetTest, CountsTheFolderItselfHoweverItIsWritten) {
  add("test/NORMAL/a.png");
  for (const std::string below : {"test/NORMAL", "test/NORMAL/", "test/../test/NORMAL/."})
    EXPECT_EQ(scan(below).samples.at(0).label, Label::kNormal) << below;
  EXPECT_EQ(scan("test").given_split.begin()->second, Split::kTest);
}

TEST_F(DatasetTest, ReadsPatientAndSubtypeFromNames) {
  struct Case {
    std::string file;
    std::string group;
    std::string patient;
    Subtype subtype;
  };
  for (const Case& c : {
           Case{"PNEUMONIA/person12_bacteria_34.jpeg", "person", "person:12", Subtype::kBacterial},
           Case{"PNEUMONIA/person12_virus_35.jpeg", "person", "person:12", Subtype::kViral},
           Case{"PNEUMONIA/person1479_virus_2546_1.jpeg", "person", "person:1479", Subtype::kViral},
           Case{"PNEUMONIA/person7_fungus_1.jpeg", "PNEUMONIA", "PNEUMONIA:person7_fungus_1",
                Subtype::kUnknown},
           Case{"PNEUMONIA/film.png", "PNEUMONIA", "PNEUMONIA:film", Subtype::kUnknown},
           Case{"PNEUMONIA/VIRUS-77-0001.jpeg", "Mendeley", "Mendeley:77", Subtype::kViral},
           Case{"PNEUMONIA/BACTERIA-77-0002.jpeg", "Mendeley", "Mendeley:77", Subtype::kBacterial},
           Case{"NORMAL/NORMAL-77-0001.jpeg", "Mendeley", "Mendeley:77", Subtype::kNone},
           Case{"NORMAL/IM-0115-0001.jpeg", "IM", "IM:0115", Subtype::kNone},
           Case{"NORMAL/IM-0434-0001-0002.jpeg", "IM", "IM:0434", Subtype::kNone},
           Case{"NORMAL/NORMAL2-IM-0434-0001.jpeg", "NORMAL2-IM", "NORMAL2-IM:0434", Subtype::kNone},
           Case{"NORMAL/IMAGE-1.jpeg", "NORMAL", "NORMAL:IMAGE-1", Subtype::kNone},
           Case{"NORMAL/person3_virus_1.jpeg", "person", "person:3", Subtype::kNone},
       }) {
    add(c.file);
    const Dataset dataset = scan();
    const auto sample = std::find_if(dataset.samples.begin(), dataset.samples.end(),
                                     [&](const Sample& s) { return s.path == dir_.path() / c.file; });
    ASSERT_NE(sample, dataset.samples.end()) << c.file;
    EXPECT_EQ(sample->group, c.group) << c.file;
    EXPECT_EQ(sample->patient, c.patient) << c.file;
    EXPECT_EQ(sample->subtype, c.subtype) << c.file;
  }
}

TEST_F(DatasetTest, FindsTheSplitTheFoldersGive) {
  add("chest_xray/train/NORMAL/IM-0001-0001.jpeg");
  add("chest_xray/val/NORMAL/IM-0002-0001.jpeg");
  add("chest_xray/Validation/PNEUMONIA/person1_virus_1.jpeg");
  add("chest_xray/test/PNEUMONIA/person2_virus_1.jpeg");
  add("more/NORMAL/IM-0003-0001.jpeg");
  const Dataset dataset = scan();
  const auto split_of = [&](const std::string& path) {
    return dataset.given_split.at((dir_.path() / "chest_xray" / path).generic_string());
  };
  EXPECT_EQ(dataset.given_split.size(), 4U);
  EXPECT_EQ(split_of("train/NORMAL/IM-0001-0001.jpeg"), Split::kTrain);
  EXPECT_EQ(split_of("val/NORMAL/IM-0002-0001.jpeg"), Split::kValidation);
  EXPECT_EQ(split_of("Validation/PNEUMONIA/person1_virus_1.jpeg"), Split::kValidation);
  EXPECT_EQ(split_of("test/PNEUMONIA/person2_virus_1.jpeg"), Split::kTest);
  EXPECT_THAT(dataset.warnings, IsEmpty());
}

TEST_F(DatasetTest, WarnsOfPatientsOnBothSidesOfTheGivenSplit) {
  add("train/PNEUMONIA/person5_bacteria_1.jpeg");
  add("test/PNEUMONIA/person5_virus_2.jpeg");
  add("test/PNEUMONIA/person6_virus_2.jpeg");
  EXPECT_THAT(scan().warnings, ElementsAre(HasSubstr("(by file name): 1, such as person:5")));
}

TEST_F(DatasetTest, FollowsLinksOnceAndNeverInCircles) {
  add("data/NORMAL/a.png");
  fs::create_directory_symlink(dir_.path(), dir_ / "data/NORMAL/loop");
  fs::create_directory_symlink(dir_ / "data", dir_ / "second");
  fs::create_directories(dir_ / "linked");
  fs::create_directory_symlink(dir_ / "data/NORMAL", dir_ / "linked/PNEUMONIA");
  EXPECT_THAT(paths(scan()), ElementsAre("data/NORMAL/a.png"));
  const Dataset linked = scan("linked");
  ASSERT_FALSE(linked.samples.empty());
  EXPECT_EQ(linked.samples.at(0).label, Label::kPneumonia);
}

/// Names as the public set has them: some patients with many pictures, some with both causes.
std::vector<Sample> make_samples(int patients_per_group = 600) {
  std::vector<Sample> samples;
  Random random(99);
  const auto add = [&](Label label, Subtype subtype, const std::string& group, int id) {
    Sample sample;
    sample.path = std::to_string(samples.size());
    sample.label = label;
    sample.subtype = subtype;
    sample.group = group;
    sample.patient = group + ":" + std::to_string(id);
    samples.push_back(sample);
  };
  for (int id = 0; id < patients_per_group; ++id) {
    for (std::uint64_t i = 0; i <= random.below(2); ++i) add(Label::kNormal, Subtype::kNone, "IM", id);
    add(Label::kNormal, Subtype::kNone, "NORMAL2-IM", id);
    for (std::uint64_t i = random.below(8); i > 0; --i)
      add(Label::kPneumonia, Subtype::kBacterial, "person", id);
    for (std::uint64_t i = random.below(5); i > 0; --i) add(Label::kPneumonia, Subtype::kViral, "person", id);
  }
  return samples;
}

template <typename Side>
void expect_whole_patients(const std::vector<Sample>& samples, const std::vector<Side>& sides) {
  ASSERT_EQ(samples.size(), sides.size());
  std::map<std::string, std::set<Side>> seen;
  for (std::size_t i = 0; i < samples.size(); ++i) seen[samples[i].patient].insert(sides[i]);
  for (const auto& [patient, its_sides] : seen) EXPECT_EQ(its_sides.size(), 1U) << patient;
}

/// Share of `side` within each (label, subtype, group), in the order of the map.
template <typename Side>
std::vector<double> shares(const std::vector<Sample>& samples, const std::vector<Side>& sides, Side side) {
  std::map<std::tuple<Label, Subtype, std::string>, std::pair<double, double>> counts;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    auto& [of_side, of_all] = counts[{samples[i].label, samples[i].subtype, samples[i].group}];
    of_side += sides[i] == side ? 1 : 0;
    ++of_all;
  }
  std::vector<double> result;
  result.reserve(counts.size());
  for (const auto& [stratum, count] : counts) result.push_back(count.first / count.second);
  return result;
}

TEST(SplitByPatient, KeepsPatientsWholeAndRatiosWithinOnePerCent) {
  const std::vector<Sample> samples = make_samples();
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    const std::vector<Split> splits = split_by_patient(samples, {}, seed);
    expect_whole_patients(samples, splits);
    for (const double share : shares(samples, splits, Split::kTrain)) EXPECT_NEAR(share, 0.8, 0.01);
    for (const double share : shares(samples, splits, Split::kValidation)) EXPECT_NEAR(share, 0.1, 0.01);
    for (const double share : shares(samples, splits, Split::kTest)) EXPECT_NEAR(share, 0.1, 0.01);
  }
}

TEST(SplitByPatient, LeavesASideOfZeroEmpty) {
  const std::vector<Sample> samples = make_samples(50);
  const std::vector<Split> splits = split_by_patient(samples, {.train = 9, .validation = 1, .test = 0}, 1);
  EXPECT_EQ(std::count(splits.begin(), splits.end(), Split::kTest), 0);
  EXPECT_GT(std::count(splits.begin(), splits.end(), Split::kValidation), 0);
}

TEST(SplitByPatient, DependsOnSamplesAndSeedAlone) {
  const std::vector<Sample> samples = make_samples();
  std::string digits;
  for (const Split split : split_by_patient(samples, {}, 7))
    digits += std::to_string(static_cast<int>(split));
  EXPECT_EQ(sha256_hex(std::as_bytes(std::span(digits))),
            "9a5d8dda97253ea7a16d3ec2f1def88d7f465867d64bd22d28f6e5f1596fc733");

  std::vector<Sample> reversed(samples.rbegin(), samples.rend());
  std::vector<Split> splits = split_by_patient(reversed, {}, 7);
  std::reverse(splits.begin(), splits.end());
  EXPECT_EQ(splits, split_by_patient(samples, {}, 7));
  EXPECT_NE(splits, split_by_patient(samples, {}, 8));
}

TEST(SplitByPatient, RefusesRatiosThatMakeNoSense) {
  EXPECT_THROW(split_by_patient({}, {.train = -1, .validation = 1, .test = 1}, 1), std::invalid_argument);
  EXPECT_THROW(split_by_patient({}, {.train = 0, .validation = 0, .test = 0}, 1), std::invalid_argument);
  EXPECT_THROW(split_by_patient({}, {.train = std::nan(""), .validation = 0, .test = 0}, 1),
               std::invalid_argument);
}

TEST(FoldsByGroup, LeavesWholeGroupsOutAndSpreadsTheOthersByPatient) {
  std::vector<Sample> samples;
  for (int i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i / 2);
    samples.push_back(
        {.label = Label::kNormal, .group = i < 12 ? "IM" : "NORMAL2-IM", .patient = "n" + number});
    samples.push_back({.label = Label::kPneumonia, .group = "person", .patient = "p" + number});
  }
  const std::vector<int> folds = folds_by_group(samples, 1);
  std::map<std::string, std::set<int>> folds_of_patient;
  std::array<int, 2> ill{};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    folds_of_patient[samples[i].patient].insert(folds[i]);
    if (samples[i].label == Label::kNormal) {
      EXPECT_EQ(folds[i], samples[i].group == "IM" ? 0 : 1);
    } else {
      ++ill.at(static_cast<std::size_t>(folds[i]));
    }
  }
  for (const auto& [patient, seen] : folds_of_patient) EXPECT_EQ(seen.size(), 1U) << patient;
  EXPECT_EQ(ill[0], ill[1]);
}

TEST(PatientOf, ReadsNamesAsTheDataSetDoes) {
  EXPECT_EQ(patient_of("a/person12_virus_3.jpeg"), patient_of("b/person12_bacteria_1.png"));
  EXPECT_NE(patient_of("IM-0001-0001.jpeg"), patient_of("NORMAL2-IM-0001-0001.jpeg"));
  EXPECT_EQ(patient_of("figure1-a.jpg"), patient_of("figure1-b.jpg"));
  EXPECT_NE(patient_of("figure1-a.jpg"), patient_of("figure2-a.jpg"));
}

TEST(FoldsByPatient, KeepsPatientsWholeAndFoldsEven) {
  const std::vector<Sample> samples = make_samples();
  const std::vector<int> folds = folds_by_patient(samples, 5, 3);
  expect_whole_patients(samples, folds);
  for (int fold = 0; fold < 5; ++fold)
    for (const double share : shares(samples, folds, fold)) EXPECT_NEAR(share, 0.2, 0.01);
}

class ChooseSplitTest : public testing::Test {
 protected:
  /// `samples` with the split their index has in `given`, none for an empty optional.
  static Dataset make(std::vector<Sample> samples,
                      const std::function<std::optional<Split>(std::size_t)>& given) {
    Dataset dataset;
    for (std::size_t i = 0; i < samples.size(); ++i)
      if (const std::optional<Split> split = given(i))
        dataset.given_split[samples[i].path.generic_string()] = *split;
    dataset.samples = std::move(samples);
    return dataset;
  }
};

TEST_F(ChooseSplitTest, SplitsByPatientWhereTheFoldersGiveOneSideOrNone) {
  const std::vector<Sample> samples = make_samples(50);
  const std::vector<Split> expected = split_by_patient(samples, {}, 3);
  EXPECT_EQ(choose_split(make(samples, [](auto) { return std::nullopt; }), {}, 3), expected);
  EXPECT_EQ(choose_split(make(samples, [](auto) { return Split::kTrain; }), {}, 3), expected);
  EXPECT_EQ(choose_split(make(samples, [](auto) { return Split::kTest; }), {}, 3), expected);
}

TEST_F(ChooseSplitTest, TakesTheFoldersOwnSplitWhereItIsWhole) {
  const auto given = [](std::size_t i) {
    return std::array{Split::kTrain, Split::kValidation, Split::kTest}.at(i % 3);
  };
  const std::vector<Split> splits = choose_split(make(make_samples(50), given), {}, 3);
  for (std::size_t i = 0; i < splits.size(); ++i) EXPECT_EQ(splits[i], given(i));
}

TEST_F(ChooseSplitTest, TakesAMissingSideOutOfTraining) {
  const std::vector<Sample> samples = make_samples();
  for (const auto& [given, missing] :
       {std::pair{Split::kTest, Split::kValidation}, std::pair{Split::kValidation, Split::kTest}}) {
    const auto is_given = [&](std::size_t i) { return samples[i].patient.ends_with('7'); };
    const std::vector<Split> splits = choose_split(
        make(samples, [&, side = given](std::size_t i) { return is_given(i) ? side : Split::kTrain; }), {},
        3);
    expect_whole_patients(samples, splits);
    std::vector<Sample> rest;
    std::vector<Split> rest_splits;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      EXPECT_EQ(splits[i] == given, is_given(i));
      if (is_given(i)) continue;
      rest.push_back(samples[i]);
      rest_splits.push_back(splits[i]);
    }
    for (const double share : shares(rest, rest_splits, missing)) EXPECT_NEAR(share, 0.1, 0.01);
  }
}

TEST(PublicSet, HasItsPublishedCounts) {
  const auto data = test::shared_data();
  if (!data) GTEST_SKIP() << "the folder of real films is not here";
  const Dataset dataset = scan_dataset(*data / "chest_xray").value();
  std::map<std::pair<std::string, Subtype>, int> counts;
  for (const Sample& sample : dataset.samples) ++counts[{sample.group, sample.subtype}];
  EXPECT_EQ(dataset.samples.size(), 5216U);
  EXPECT_EQ((counts[{"IM", Subtype::kNone}]), 597);
  EXPECT_EQ((counts[{"NORMAL2-IM", Subtype::kNone}]), 744);
  EXPECT_EQ((counts[{"person", Subtype::kBacterial}]), 2530);
  EXPECT_EQ((counts[{"person", Subtype::kViral}]), 1345);
  EXPECT_EQ(counts.size(), 4U);
  const std::vector<Split> splits = split_by_patient(dataset.samples, {}, 1);
  expect_whole_patients(dataset.samples, splits);
  for (const double share : shares(dataset.samples, splits, Split::kTrain)) EXPECT_NEAR(share, 0.8, 0.01);
}

}  // namespace
}  // namespace xray
