#include "cli/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>

#include "common/file.h"
#include "support/archives.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using test::ArchiveKind;
using test::bytes_of;
using test::make_archive;
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
    std::vector<std::string> found;
    FileSource source(arguments(names, input), {.done = done_});
    while (const auto item = source.next())
      found.push_back((item->error ? "!" : "") + item->path.lexically_relative(temp_.path()).string() +
                      (item->content ? "=" + std::to_string(item->content->size()) : ""));
    const auto count = FileSource::count(arguments(names, input), {.done = done_});
    EXPECT_GE(count.value_or(found.size()), found.size());
    return found;
  }

  /// "-" stands for the lines of `input`.
  std::vector<SourceArgument> arguments(const std::vector<std::string>& names, const std::string& input) {
    std::vector<SourceArgument> all;
    for (const auto& name : names) {
      if (name != "-") {
        all.push_back({(temp_ / name).string()});
        continue;
      }
      EXPECT_TRUE(write_file(temp_ / "list", input).ok());
      all.push_back({"-", std::make_unique<NameReader>(
                              NameReader::open(temp_ / "list", NameSeparator::kLine).value())});
    }
    return all;
  }

  std::function<bool(const std::filesystem::path&)> done_;

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

TEST_F(FileSourceOrder, ReadsPicturesInArchivesThatAreNamed) {
  const Bytes archive = make_archive(ArchiveKind::kTarGz, {{"b/film.PNG", bytes_of("12")},
                                                           {"notes.txt", bytes_of("x")},
                                                           {"more.zip", bytes_of("x")},
                                                           {".hidden/film.png", bytes_of("x")},
                                                           {"__MACOSX/b/film.png", bytes_of("x")},
                                                           {"./a.jpg", bytes_of("123")}});
  ASSERT_TRUE(write_file(temp_ / "films.tar.gz", archive).ok());
  touch("last.png");
  EXPECT_THAT(list({"films.tar.gz", "last.png"}),
              ElementsAre("films.tar.gz:b/film.PNG=2", "films.tar.gz:./a.jpg=3", "last.png"));
  EXPECT_THAT(list({"-"}, (temp_ / "films.tar.gz").string()),
              ElementsAre("films.tar.gz:b/film.PNG=2", "films.tar.gz:./a.jpg=3"));
}

TEST_F(FileSourceOrder, DoesNotEnterArchivesInFolders) {
  touch("f/a.png");
  ASSERT_TRUE(
      write_file(temp_ / "f/films.zip", make_archive(ArchiveKind::kZip, {{"b.png", bytes_of("x")}})).ok());
  EXPECT_THAT(list({"f"}), ElementsAre("f/a.png"));
}

TEST_F(FileSourceOrder, TellsOfArchivesThatGiveNothing) {
  ASSERT_TRUE(
      write_file(temp_ / "a.zip", make_archive(ArchiveKind::kZip, {{"notes.txt", bytes_of("x")}})).ok());
  touch("b.tar");
  std::filesystem::create_directories(temp_ / "folder.zip");
  touch("folder.zip/film.png");
  EXPECT_THAT(list({"a.zip", "b.tar", "c.tgz", "folder.zip"}),
              ElementsAre("!a.zip", "!b.tar", "!c.tgz", "folder.zip/film.png"));
}

TEST_F(FileSourceOrder, TellsOfADamagedArchiveAfterWhatCouldBeRead) {
  Bytes archive = make_archive(ArchiveKind::kTar, {{"a.png", bytes_of("1")}, {"b.png", Bytes(100'000)}});
  archive.resize(archive.size() - 50'000);
  ASSERT_TRUE(write_file(temp_ / "films.tar", archive).ok());
  touch("last.png");
  EXPECT_THAT(list({"films.tar", "last.png"}), ElementsAre("films.tar:a.png=1", "!films.tar", "last.png"));
}

TEST_F(FileSourceOrder, PassesOverWhatIsDone) {
  ASSERT_TRUE(write_file(temp_ / "films.zip", make_archive(ArchiveKind::kZip, {{"a.png", bytes_of("1")},
                                                                               {"b.png", bytes_of("1")}}))
                  .ok());
  touch("f/a.png");
  touch("f/b.png");
  done_ = [](const auto& path) { return path.string().ends_with("a.png"); };
  EXPECT_THAT(list({"films.zip", "f"}), ElementsAre("films.zip:b.png=1", "f/b.png"));
  done_ = [](const auto&) { return true; };
  EXPECT_THAT(list({"films.zip", "f", "missing"}), IsEmpty());
}

TEST_F(FileSourceOrder, EndsAtAStop) {
  touch("f/a.png");
  touch("f/b.png");
  std::stop_source stop;
  FileSource source(arguments({"f"}, ""), {.stop = stop.get_token()});
  EXPECT_TRUE(source.next().has_value());
  stop.request_stop();
  EXPECT_FALSE(source.next().has_value());
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
  FileSource source(arguments({"-"}, input));
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
