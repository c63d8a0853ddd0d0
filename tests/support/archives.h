#pragma once

#include <string>
#include <vector>

#include "common/file.h"

namespace xray::test {

enum class ArchiveKind { kTar, kTarGz, kTarXz, kTarZst, kTarBz2, kZip, kStoredZip, kEncryptedZip };

enum class MemberKind { kFile, kFolder, kSymlink, kHardlink, kDevice };

/// A member of an archive to be made.
struct Member {
  std::string name;
  Bytes content{};
  MemberKind kind = MemberKind::kFile;
};

inline Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Links point to "film.png". Throws std::runtime_error where libarchive refuses.
Bytes make_archive(ArchiveKind kind, const std::vector<Member>& members);

}  // namespace xray::test
