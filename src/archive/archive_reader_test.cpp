#include "archive/archive_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/random.h"
#include "support/archives.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

using test::ArchiveKind;
using test::bytes_of;
using test::make_archive;
using test::Member;
using test::MemberKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Bytes that no compressor makes smaller.
Bytes noise(std::size_t size, std::uint64_t seed = 1) {
  Random random(seed);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.below(256));
  return bytes;
}

class ArchiveReading : public ::testing::Test {
 protected:
  /// Each entry as "name=content", or "name!code" where it cannot be read; last the archive's error.
  std::vector<std::string> list(
      const Bytes& archive, const ArchiveLimits& limits = {},
      const std::function<bool(const std::string&)>& wanted = [](const auto&) { return true; }) {
    EXPECT_TRUE(write_file(temp_ / "archive", archive).ok());
    auto reader = ArchiveReader::open(temp_ / "archive", limits);
    if (!reader) return {failure(reader.error())};
    std::vector<std::string> found;
    for (;;) {
      const auto entry = (*reader)->next(wanted);
      if (!entry) {
        found.push_back(failure(entry.error()));
        continue;  // the end comes next
      }
      if (!*entry) return found;
      const auto& content = (*entry)->content;
      if (!content) {
        found.push_back((*entry)->name + "!" + std::string(name(content.error().code)));
      } else {
        const bool is_short = content->size() < 100;
        found.push_back((*entry)->name + "=" +
                        (is_short
                             ? std::string(reinterpret_cast<const char*>(content->data()), content->size())
                             : std::to_string(content->size())));
      }
    }
  }

  test::TempDir temp_;

 private:
  static std::string failure(const Error& error) {
    return "archive!" + std::string(name(error.code)) + ": " + error.message;
  }
};

const std::vector<Member> kTwoFilms = {{"a/film.png", bytes_of("first")}, {"film.png", bytes_of("second")}};

TEST_F(ArchiveReading, ReadsEveryKindInOrder) {
  for (const auto kind : {ArchiveKind::kTar, ArchiveKind::kTarGz, ArchiveKind::kTarXz, ArchiveKind::kTarZst,
                          ArchiveKind::kTarBz2, ArchiveKind::kZip, ArchiveKind::kStoredZip})
    EXPECT_THAT(list(make_archive(kind, kTwoFilms)), ElementsAre("a/film.png=first", "film.png=second"))
        << static_cast<int>(kind);
}

TEST_F(ArchiveReading, PassesOverFoldersLinksAndDevices) {
  for (const auto kind : {ArchiveKind::kTar, ArchiveKind::kTarGz})
    EXPECT_THAT(list(make_archive(kind, {{"film.png", bytes_of("x")},
                                         {"folder.png/", {}, MemberKind::kFolder},
                                         {"link.png", {}, MemberKind::kSymlink},
                                         {"hard.png", {}, MemberKind::kHardlink},
                                         {"device.png", {}, MemberKind::kDevice},
                                         {"last.png", bytes_of("y")}})),
                ElementsAre("film.png=x", "last.png=y"));
  EXPECT_THAT(list(make_archive(ArchiveKind::kZip,
                                {{"link.png", {}, MemberKind::kSymlink}, {"last.png", bytes_of("y")}})),
              ElementsAre("last.png=y"));
}

TEST_F(ArchiveReading, ReadsOnlyWhatIsWanted) {
  for (const auto kind : {ArchiveKind::kTar, ArchiveKind::kTarXz, ArchiveKind::kZip}) {
    const Bytes archive = make_archive(kind, {{"big.bin", noise(300'000)}, {"film.png", bytes_of("x")}});
    EXPECT_THAT(list(archive, {}, [](const std::string& name) { return name == "film.png"; }),
                ElementsAre("film.png=x"));
  }
}

TEST_F(ArchiveReading, KeepsNamesOfAnyBytes) {
  const std::string utf8 = "M\xC3\xBCller/\xE8\x83\xB8.png";
  EXPECT_THAT(list(make_archive(ArchiveKind::kTar, {{utf8, bytes_of("x")}})), ElementsAre(utf8 + "=x"));
  EXPECT_THAT(list(make_archive(ArchiveKind::kTar, {{"bad\xFF.png", bytes_of("x")}})),
              ElementsAre("bad\xFF.png=x"));
  EXPECT_THAT(list(make_archive(ArchiveKind::kZip, {{"../../../etc/film.png", bytes_of("x")}})),
              ElementsAre("../../../etc/film.png=x"));
}

TEST_F(ArchiveReading, RefusesAnEntryThatIsTooLargeAndReadsOn) {
  for (const auto kind : {ArchiveKind::kTar, ArchiveKind::kTarGz, ArchiveKind::kZip})
    EXPECT_THAT(list(make_archive(kind, {{"big.png", noise(2000)}, {"film.png", bytes_of("x")}}),
                     {.max_entry_bytes = 1000}),
                ElementsAre("big.png!too_large", "film.png=x"));
}

TEST_F(ArchiveReading, ReadsOnAfterAnEntryThatIsDamaged) {
  Bytes archive =
      make_archive(ArchiveKind::kStoredZip, {{"a.png", noise(1000)}, {"film.png", bytes_of("x")}});
  const Bytes content = noise(1000);
  const auto at = std::search(archive.begin(), archive.end(), content.begin(), content.end());
  ASSERT_NE(at, archive.end());
  *(at + 500) ^= std::byte{1};
  EXPECT_THAT(list(archive), ElementsAre("a.png!damaged", "film.png=x"));
}

TEST_F(ArchiveReading, TellsOfEncryptedEntries) {
  EXPECT_THAT(list(make_archive(ArchiveKind::kEncryptedZip, kTwoFilms)),
              ElementsAre("a/film.png!unsupported", "film.png!unsupported"));
}

TEST_F(ArchiveReading, ReadsATruncatedArchiveAsFarAsItGoes) {
  for (const auto kind : {ArchiveKind::kTar, ArchiveKind::kTarGz, ArchiveKind::kTarXz, ArchiveKind::kTarZst,
                          ArchiveKind::kZip, ArchiveKind::kStoredZip}) {
    Bytes archive = make_archive(kind, {{"a.png", noise(300'000)}, {"b.png", noise(300'000, 2)}});
    archive.resize(archive.size() * 3 / 4);
    const auto found = list(archive);
    ASSERT_EQ(found.size(), 2U) << static_cast<int>(kind);
    EXPECT_EQ(found[0], "a.png=300000");
    EXPECT_THAT(found[1], HasSubstr("archive!damaged: damaged: ")) << static_cast<int>(kind);
  }
}

TEST_F(ArchiveReading, StopsABombInsideOneEntry) {
  const ArchiveLimits limits{.max_entry_bytes = 100'000'000, .max_ratio = 100, .free_bytes = 1'000'000};
  for (const auto kind : {ArchiveKind::kTarGz, ArchiveKind::kTarXz, ArchiveKind::kTarZst,
                          ArchiveKind::kTarBz2, ArchiveKind::kZip}) {
    const Bytes bomb =
        make_archive(kind, {{"film.png", bytes_of("x")}, {"bomb.png", Bytes(8'000'000)}, {"b.png", {}}});
    EXPECT_THAT(list(bomb, limits),
                ElementsAre("film.png=x", HasSubstr("archive!too_large: unpacks to more than 100 times")))
        << static_cast<int>(kind);
  }
}

TEST_F(ArchiveReading, StopsABombThatNobodyWanted) {
  const Bytes bomb = make_archive(ArchiveKind::kTarZst, {{"bomb.bin", Bytes(8'000'000)}, {"film.png", {}}});
  EXPECT_THAT(list(bomb, {.free_bytes = 1'000'000}, [](const auto& name) { return name == "film.png"; }),
              ElementsAre(HasSubstr("archive!too_large")));
}

TEST_F(ArchiveReading, JumpsOverABombInAZipFile) {
  const Bytes bomb =
      make_archive(ArchiveKind::kZip, {{"bomb.png", Bytes(8'000'000)}, {"film.png", bytes_of("x")}});
  EXPECT_THAT(list(bomb, {.max_entry_bytes = 1'000'000, .free_bytes = 1'000'000}),
              ElementsAre("bomb.png!too_large", "film.png=x"));
}

TEST_F(ArchiveReading, CountsEntries) {
  EXPECT_THAT(list(make_archive(ArchiveKind::kTar, kTwoFilms), {.max_entries = 1}),
              ElementsAre("a/film.png=first", HasSubstr("archive!too_large: has more than 1 entries")));
}

TEST_F(ArchiveReading, BoundsTheListOfEntriesOfAZipFile) {
  std::vector<Member> many;
  for (int i = 0; i < 20'000; ++i) many.push_back({"film" + std::to_string(i) + ".png", {}});
  EXPECT_THAT(list(make_archive(ArchiveKind::kZip, many), {.max_directory_bytes = 300'000}),
              ElementsAre(HasSubstr("archive!too_large: its list of entries")));
}

TEST_F(ArchiveReading, TellsWhatIsNoArchive) {
  EXPECT_THAT(list(bytes_of("Dear colleague, the films are attached.")),
              ElementsAre(HasSubstr("archive!not_a_picture: not an archive that is read here")));
  EXPECT_THAT(list({}), ElementsAre("archive!damaged: the file is empty"));
  EXPECT_EQ(ArchiveReader::open(temp_ / "missing.zip").error().code, ErrorCode::kNotFound);
}

TEST_F(ArchiveReading, RefusesCompressionInCompression) {
  // gzip of gzip of tar, the inner one stored as it is: no other compressor is at hand here.
  const Bytes inner = make_archive(ArchiveKind::kTarGz, kTwoFilms);
  Bytes outer = bytes_of(std::string_view("\x1F\x8B\x08\0\0\0\0\0\0\xFF\x01", 11));
  for (const std::size_t half : {inner.size(), ~inner.size()}) {
    outer.push_back(static_cast<std::byte>(half & 255U));
    outer.push_back(static_cast<std::byte>(half >> 8U & 255U));
  }
  outer.insert(outer.end(), inner.begin(), inner.end());
  outer.resize(outer.size() + 8);
  EXPECT_THAT(list(outer), ElementsAre(HasSubstr("archive!unsupported: is compressed more than once")));
}

TEST_F(ArchiveReading, StopsWhenAsked) {
  ASSERT_TRUE(
      write_file(temp_ / "a.tar", make_archive(ArchiveKind::kTar, {{"a.png", noise(2'000'000)}})).ok());
  std::stop_source stop;
  auto reader = ArchiveReader::open(temp_ / "a.tar", {}, stop.get_token());
  ASSERT_TRUE(reader.ok());
  stop.request_stop();
  EXPECT_EQ((*reader)->next([](const auto&) { return true; }).error().code, ErrorCode::kCancelled);
}

TEST(ArchiveNames, AreToldByTheirEndingInAnyCase) {
  for (const char* name :
       {"a.tar", "a.TAR.GZ", "a.b.tgz", "a.tar.xz", "a.txz", "a.tar.zst", "a.tbz2", "films.Zip"})
    EXPECT_TRUE(has_archive_name(name)) << name;
  for (const char* name : {"tar", "a.gz", "a.png", "a.zip/film.png", "zip", "a.7z"})
    EXPECT_FALSE(has_archive_name(name)) << name;
}

}  // namespace
}  // namespace xray
