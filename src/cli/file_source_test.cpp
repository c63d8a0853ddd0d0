#include "cli/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FileSourceOrder : public ::testing::Test {
 protected:
  void touch(const std::string& name) {
    std::filesystem::create_directories((temp_ / name).parent_path());
    ASSERT_TRUE(write_file(temp_ / name, std::string_view("x")).ok());
  }

  /// What comes of the names, below the test's folder; "!" before what is an error.
  std::vector<std::string> list(const std::vector<std::string>& names, const std::string& input = "") {
    std::vector<std::string> arguments;
    arguments.reserve(names.size());
    for (const auto& name : names) arguments.push_back(name == "-" ? name : (temp_ / name).string());
    std::istringstream stream(input);
    FileSource source(arguments, stream);
    std::vector<std::string> found;
    while (const auto item = source.next())
      found.push_back((item->error ? "!" : "") + item->path.lexically_relative(temp_.path()).string());
    return found;
  }

  test::TempDir temp_;
};

TEST_F(FileSourceOrder, KeepsTheOrderOfTheNames) {
  EXPECT_THAT(list({"z.jpg", "a.jpg", "missing"}), ElementsAre("z.jpg", "a.jpg", "missing"));
}

TEST_F(FileSourceOrder, WalksFoldersSortedAndTakesPicturesOnly) {
  for (const char* name : {"f/b.PNG", "f/a.jpeg", "f/c/d.dcm", "f/z.jpg", "f/notes.txt", "f/.hidden.png",
                           "f/.git/x.png", "f/__MACOSX/b.png", "f/picture"})
    touch(name);
  EXPECT_THAT(list({"f"}), ElementsAre("f/a.jpeg", "f/b.PNG", "f/c/d.dcm", "f/z.jpg"));
}

TEST_F(FileSourceOrder, TakesAFileThatIsNamedWhateverItsName) {
  touch("notes.txt");
  EXPECT_THAT(list({"notes.txt"}), ElementsAre("notes.txt"));
}

TEST_F(FileSourceOrder, TellsOfFoldersWithoutPictures) {
  std::filesystem::create_directories(temp_ / "empty/inside");
  touch("full/a.png");
  EXPECT_THAT(list({"empty", "full"}), ElementsAre("!empty", "full/a.png"));
}

TEST_F(FileSourceOrder, ReadsNamesWhereTheDashStands) {
  touch("f/a.png");
  const std::string input = (temp_ / "one").string() + "\n\n" + (temp_ / "f").string();
  EXPECT_THAT(list({"first", "-", "last"}, input), ElementsAre("first", "one", "f/a.png", "last"));
}

TEST_F(FileSourceOrder, DoesNotFollowLinksInCircles) {
  touch("f/a.png");
  std::filesystem::create_directory_symlink(temp_ / "f", temp_ / "f/circle");
  std::filesystem::create_symlink(temp_ / "gone", temp_ / "f/broken.png");
  EXPECT_THAT(list({"f"}), ElementsAre("f/a.png", "f/broken.png"));
}

TEST_F(FileSourceOrder, NumbersFilesForManyThreads) {
  std::string input;
  for (int i = 0; i < 1000; ++i) input += std::to_string(i) + "\n";
  std::istringstream stream(input);
  FileSource source({"-"}, stream);
  std::vector<std::size_t> misplaced(4);
  std::vector<std::thread> threads;
  threads.reserve(misplaced.size());
  for (std::size_t t = 0; t < misplaced.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < 1000; i += misplaced.size()) {
        const auto item = source.at(i);
        if (!item || item->path != std::to_string(i)) ++misplaced[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(misplaced, ::testing::Each(0U));
  EXPECT_FALSE(source.at(1000).has_value());
}

}  // namespace
}  // namespace xray
