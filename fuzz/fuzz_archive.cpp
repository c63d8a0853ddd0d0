#include <sys/mman.h>
#include <unistd.h>

#include "archive/archive_reader.h"
#include "fuzz_target.h"
#include "support/archives.h"

namespace {

using namespace xray;
using fuzz::require;

constexpr ArchiveLimits kLimits{.max_entry_bytes = 1 << 16U,
                                .max_entries = 20,
                                .max_ratio = 10,
                                .free_bytes = 1 << 18U,
                                .max_directory_bytes = 1 << 20U};
/// What one call of libarchive may hand out beyond the limits before they are asked.
constexpr std::uint64_t kSlack = 1 << 23U;

bool is_of_an_entry(ErrorCode code) {
  return code == ErrorCode::kTooLarge || code == ErrorCode::kDamaged || code == ErrorCode::kUnsupported;
}

Result<std::unique_ptr<ArchiveReader>> open(const std::uint8_t* data, std::size_t size) {
  Descriptor file(::memfd_create("archive", MFD_CLOEXEC));
  require(::write(file.get(), data, size) == static_cast<ssize_t>(size));
  require(::lseek(file.get(), 0, SEEK_SET) == 0);
  return ArchiveReader::open(std::move(file), kLimits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto reader = open(data, size);
  if (!reader) {
    require(is_of_an_entry(reader.error().code) || reader.error().code == ErrorCode::kNotAPicture);
    return 0;
  }
  std::uint64_t entries = 0;
  std::uint64_t produced = 0;
  for (;;) {
    // Every other one is passed over, which goes another way.
    const auto entry = (*reader)->next([&](const std::string&) { return ++entries % 2 == 1; });
    require(entries <= kLimits.max_entries);
    if (!entry) {
      require(is_of_an_entry(entry.error().code) || entry.error().code == ErrorCode::kNotAPicture);
      const auto after = (*reader)->next([](const std::string&) { return true; });
      require(after.ok() && !after->has_value());
      return 0;
    }
    if (!*entry) return 0;
    require((*entry)->name.size() <= 4096);
    const Result<Bytes>& content = (*entry)->content;
    if (!content) {
      require(is_of_an_entry(content.error().code));
      continue;
    }
    require(content->size() <= kLimits.max_entry_bytes);
    produced += content->size();
    require(produced <= kLimits.free_bytes + kLimits.max_ratio * size + kSlack);
  }
}

std::vector<Bytes> xray::fuzz::seeds() {
  using test::ArchiveKind;
  const std::vector<test::Member> members = {{"a.png", to_bytes(std::string(3000, 'a'))},
                                             {"folder/", {}, test::MemberKind::kFolder},
                                             {"b.png", to_bytes("second")},
                                             {"l.png", {}, test::MemberKind::kSymlink},
                                             {"\xC3\xA9.png", to_bytes(std::string(100'000, 'c'))}};
  std::vector<Bytes> all;
  for (const auto kind :
       {ArchiveKind::kTar, ArchiveKind::kTarGz, ArchiveKind::kTarXz, ArchiveKind::kTarZst,
        ArchiveKind::kTarBz2, ArchiveKind::kZip, ArchiveKind::kStoredZip, ArchiveKind::kEncryptedZip})
    all.push_back(test::make_archive(kind, members));
  return all;
}
