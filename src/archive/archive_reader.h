#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "common/descriptor.h"
#include "common/file.h"
#include "common/result.h"

namespace xray {

/// What is read of an archive at most; all of it is checked while reading, before memory is taken.
struct ArchiveLimits {
  std::uint64_t max_entry_bytes = std::uint64_t{64} << 20U;
  std::uint64_t max_entries = 1'000'000;
  /// What comes out may be this many times what went in. Pictures are compressed already
  /// and come out about as large as they went in.
  std::uint64_t max_ratio = 100;
  /// ... from here on: flat pictures may well be packed tighter.
  std::uint64_t free_bytes = std::uint64_t{256} << 20U;
  /// Of the list of entries at the end of a zip file, which is kept in memory, about five times over.
  std::uint64_t max_directory_bytes = std::uint64_t{64} << 20U;
};

/// Whether the name, in any case, is that of an archive that is read: .tar, .tar.gz, .tgz,
/// .tar.xz, .txz, .tar.zst, .tzst, .tar.bz2, .tbz2, .tbz, .zip.
bool has_archive_name(const std::filesystem::path& path);

/// A file in an archive.
struct ArchiveEntry {
  std::string name;  ///< as the archive has it: any bytes, any path; nothing to write to
  /// kTooLarge; kDamaged; kUnsupported (encrypted, a strange compression).
  Result<Bytes> content;
};

/// The files in a tar or zip archive, front to back, unpacked in memory one at a time. Links,
/// devices and folders are passed over, archives in the archive are files like others. The
/// format is told by content; tar may be compressed once by gzip, xz, zstd or bzip2. Beside
/// the entry, the decompressors hold at most 128 MiB (zstd) or 1 GiB (xz), as the archive
/// demands and only as far as it fills them. Not thread-safe.
class ArchiveReader {
 public:
  /// kNotFound, kIo, kNotAPicture (no such archive at all), kUnsupported, kDamaged, kTooLarge.
  /// After `stop` reading ends with kCancelled.
  static Result<std::unique_ptr<ArchiveReader>> open(const std::filesystem::path& path,
                                                     const ArchiveLimits& limits = {},
                                                     std::stop_token stop = {});
  static Result<std::unique_ptr<ArchiveReader>> open(Descriptor descriptor, const ArchiveLimits& limits = {},
                                                     std::stop_token stop = {});
  ~ArchiveReader();
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  /// The next file whose name is `wanted`; nothing at the end. An error tells why the archive
  /// cannot be read beyond here (kDamaged, kTooLarge, kIo, kCancelled); after it comes the end.
  Result<std::optional<ArchiveEntry>> next(const std::function<bool(const std::string&)>& wanted);

  /// Whether passing over an entry costs unpacking it.
  bool is_compressed() const;

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace xray
