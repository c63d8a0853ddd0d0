#include "support/archives.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>
#include <stdexcept>

namespace xray::test {
namespace {

la_ssize_t append(archive* /*handle*/, void* data, const void* buffer, std::size_t size) {
  auto& bytes = *static_cast<Bytes*>(data);
  const auto* const from = static_cast<const std::byte*>(buffer);
  bytes.insert(bytes.end(), from, from + size);
  return static_cast<la_ssize_t>(size);
}

void choose_format(archive* handle, ArchiveKind kind) {
  switch (kind) {
    case ArchiveKind::kZip:
      archive_write_set_format_zip(handle);
      return;
    case ArchiveKind::kStoredZip:
      archive_write_set_format_zip(handle);
      archive_write_zip_set_compression_store(handle);
      return;
    case ArchiveKind::kEncryptedZip:
      archive_write_set_format_zip(handle);
      archive_write_set_options(handle, "zip:encryption=traditional");
      archive_write_set_passphrase(handle, "secret");
      return;
    case ArchiveKind::kTarGz:
      archive_write_add_filter_gzip(handle);
      break;
    case ArchiveKind::kTarXz:
      archive_write_add_filter_xz(handle);
      break;
    case ArchiveKind::kTarZst:
      archive_write_add_filter_zstd(handle);
      break;
    case ArchiveKind::kTarBz2:
      archive_write_add_filter_bzip2(handle);
      break;
    case ArchiveKind::kTar:
      break;
  }
  archive_write_set_format_pax_restricted(handle);
}

void describe(archive_entry* entry, const Member& member) {
  archive_entry_set_pathname(entry, member.name.c_str());
  archive_entry_set_perm(entry, 0644);
  archive_entry_set_filetype(entry, AE_IFREG);
  switch (member.kind) {
    case MemberKind::kFile:
      archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
      break;
    case MemberKind::kFolder:
      archive_entry_set_filetype(entry, AE_IFDIR);
      break;
    case MemberKind::kSymlink:
      archive_entry_set_filetype(entry, AE_IFLNK);
      archive_entry_set_symlink(entry, "film.png");
      break;
    case MemberKind::kHardlink:
      archive_entry_set_hardlink(entry, "film.png");
      break;
    case MemberKind::kDevice:
      archive_entry_set_filetype(entry, AE_IFCHR);
      archive_entry_set_rdev(entry, 1);
      break;
  }
}

}  // namespace

Bytes make_archive(ArchiveKind kind, const std::vector<Member>& members) {
  Bytes bytes;
  const std::unique_ptr<archive, int (*)(archive*)> handle(archive_write_new(), archive_write_free);
  const auto must = [&](la_ssize_t status) {
    if (status < ARCHIVE_WARN) throw std::runtime_error(archive_error_string(handle.get()));
  };
  choose_format(handle.get(), kind);
  archive_write_set_bytes_in_last_block(handle.get(), 1);  // no padding behind compressed data
  must(archive_write_open(handle.get(), &bytes, nullptr, append, nullptr));
  for (const Member& member : members) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(),
                                                                         archive_entry_free);
    describe(entry.get(), member);
    must(archive_write_header(handle.get(), entry.get()));
    if (member.kind == MemberKind::kFile)
      must(archive_write_data(handle.get(), member.content.data(), member.content.size()));
  }
  must(archive_write_close(handle.get()));
  return bytes;
}

}  // namespace xray::test
