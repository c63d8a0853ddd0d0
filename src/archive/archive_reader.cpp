#include "archive/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "common/text.h"

namespace xray {
namespace {

constexpr std::size_t kBlock = 256 * 1024;
constexpr std::size_t kLongestName = 4096;

constexpr const char* kNotAnArchive =
    "not an archive that is read here; tar (plain, gz, xz, zst, bz2) and zip are";

/// One decompressor, beside the plain bytes.
constexpr int kMostFilters = 2;

Error system_error(const char* what) {
  return {ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno)};
}

std::string size_text(std::uint64_t bytes) {
  return std::to_string(bytes) + " bytes";
}

}  // namespace

bool has_archive_name(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 11> kEndings = {
      ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2", ".tbz", ".zip"};
  const std::string name = lowered(path.filename().string());
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return name.ends_with(ending); });
}

/// What libarchive's callbacks work on.
struct ArchiveReader::State {
  Descriptor descriptor;
  ArchiveLimits limits;
  std::stop_token stop;
  archive* handle = nullptr;
  archive_entry* entry = nullptr;
  std::vector<std::byte> block = std::vector<std::byte>(kBlock);
  std::uint64_t file_size = UINT64_MAX;  ///< unknown for pipes
  std::uint64_t read_bytes = 0;          ///< of the file, bytes read twice counted twice
  std::uint64_t entry_bytes = 0;         ///< that came out of entries
  std::uint64_t entries = 0;
  bool at_first_header = true;
  bool ended = false;
  std::optional<Error> own_error;  ///< why a callback, not libarchive, ended it

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (handle != nullptr) archive_read_free(handle);
  }

  static la_ssize_t read_block(archive* handle, void* data, const void** buffer) {
    return static_cast<State*>(data)->read(handle, buffer);
  }

  la_ssize_t read(archive* of, const void** buffer) {
    const auto refuse = [&](Error error) -> la_ssize_t {
      archive_set_error(of, EIO, "%s", error.message.c_str());
      own_error = std::move(error);
      return -1;
    };
    if (stop.stop_requested()) return refuse({ErrorCode::kCancelled, "stopped"});
    if (at_first_header && read_bytes > limits.max_directory_bytes)
      return refuse({ErrorCode::kTooLarge, "its list of entries has more than the limit of " +
                                               size_text(limits.max_directory_bytes)});
    ssize_t got = 0;
    do {
      got = ::read(descriptor.get(), block.data(), block.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) return refuse(system_error("cannot be read"));
    read_bytes += static_cast<std::uint64_t>(got);
    *buffer = block.data();
    return got;
  }

  static la_int64_t seek_to(archive* /*handle*/, void* data, la_int64_t offset, int whence) {
    const off_t at = ::lseek(static_cast<State*>(data)->descriptor.get(), offset, whence);
    return at < 0 ? ARCHIVE_FATAL : at;
  }

  static la_int64_t skip_bytes(archive* /*handle*/, void* data, la_int64_t request) {
    const int descriptor = static_cast<State*>(data)->descriptor.get();
    const off_t before = ::lseek(descriptor, 0, SEEK_CUR);
    // Not beyond the end: a cut-off archive is to be noticed.
    const auto left = static_cast<la_int64_t>(static_cast<State*>(data)->file_size) - before;
    if (before < 0 || request < static_cast<la_int64_t>(kBlock) || left < request) return 0;
    return ::lseek(descriptor, request, SEEK_CUR) < 0 ? 0 : request;
  }

  bool is_zip() const { return (archive_format(handle) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP; }
  bool is_compressed() const { return archive_filter_count(handle) > 1; }

  /// What libarchive says went wrong with the archive as a whole.
  Error failure() const {
    if (own_error) return *own_error;
    const char* const text = archive_error_string(handle);
    const std::string reason = text == nullptr ? "damaged" : text;
    if (reason.starts_with("Unrecognized archive format")) return {ErrorCode::kNotAPicture, kNotAnArchive};
    return {ErrorCode::kDamaged, "damaged: " + reason};
  }

  /// Whether more came out than the limits allow.
  std::optional<Error> bomb() const {
    std::uint64_t produced = entry_bytes;
    if (is_compressed())
      produced = std::max(produced, static_cast<std::uint64_t>(archive_filter_bytes(handle, 0)));
    // Entries of a zip file may share bytes, so those read twice do not count.
    const std::uint64_t consumed = std::min(read_bytes, file_size);
    if (produced <= limits.free_bytes || produced / limits.max_ratio <= consumed) return std::nullopt;
    return Error{ErrorCode::kTooLarge, "unpacks to more than " + std::to_string(limits.max_ratio) +
                                           " times its size; it is not read beyond here"};
  }

  /// Reads what is left of the entry without keeping it.
  std::optional<Error> skip() {
    const bool can_jump = is_zip() ? archive_entry_size_is_set(entry) != 0 : !is_compressed();
    if (can_jump) {
      if (archive_read_data_skip(handle) == ARCHIVE_FATAL) return failure();
      return std::nullopt;
    }
    for (;;) {
      const void* data = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(handle, &data, &size, &offset);
      if (status == ARCHIVE_FATAL) return failure();
      if (status == ARCHIVE_EOF || status == ARCHIVE_FAILED || status == ARCHIVE_RETRY) return std::nullopt;
      entry_bytes += size;
      if (auto error = bomb()) return error;
    }
  }

  /// The entry's content; `fatal` is set where the archive ends with it.
  Result<Bytes> content(std::optional<Error>& fatal) {
    const auto too_large = [&] {
      return Error{ErrorCode::kTooLarge, "larger than the limit of " + size_text(limits.max_entry_bytes)};
    };
    if (archive_entry_is_encrypted(entry) != 0)
      return Error{ErrorCode::kUnsupported, "is encrypted, which is not read here"};
    Bytes bytes;
    if (archive_entry_size_is_set(entry) != 0) {
      const auto size = static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)));
      if (size > limits.max_entry_bytes) return too_large();
      bytes.reserve(size);
    }
    for (;;) {
      const void* data = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(handle, &data, &size, &offset);
      if (status == ARCHIVE_EOF) return bytes;
      if (status == ARCHIVE_FATAL) {
        fatal = failure();
        return *fatal;
      }
      if (status != ARCHIVE_OK) return Error{ErrorCode::kDamaged, failure().message};
      entry_bytes += size;
      fatal = bomb();
      if (fatal) return *fatal;
      const auto begin = static_cast<std::uint64_t>(offset);
      if (offset < 0 || begin > limits.max_entry_bytes || size > limits.max_entry_bytes - begin)
        return too_large();
      if (begin < bytes.size()) return Error{ErrorCode::kDamaged, "its parts overlap"};
      bytes.resize(begin);  // a hole of a sparse file
      const auto* const from = static_cast<const std::byte*>(data);
      bytes.insert(bytes.end(), from, from + size);
    }
  }

  /// UTF-8 where the archive tells its encoding, else its bytes.
  std::string name() const {
    const char* text = archive_entry_pathname_utf8(entry);
    if (text == nullptr) text = archive_entry_pathname(entry);
    return text == nullptr ? "" : text;
  }
};

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::is_compressed() const {
  return state_->is_compressed();
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(const std::filesystem::path& path,
                                                           const ArchiveLimits& limits,
                                                           std::stop_token stop) {
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (descriptor.get() >= 0) return open(std::move(descriptor), limits, std::move(stop));
  if (errno == ENOENT || errno == ENOTDIR) return Error{ErrorCode::kNotFound, "no such file"};
  return system_error("cannot be opened");
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(Descriptor descriptor, const ArchiveLimits& limits,
                                                           std::stop_token stop) {
  auto state = std::make_unique<State>();
  state->descriptor = std::move(descriptor);
  state->limits = limits;
  state->stop = std::move(stop);
  struct stat info{};
  if (::fstat(state->descriptor.get(), &info) != 0) return system_error("cannot be examined");
  const bool regular = S_ISREG(info.st_mode);
  if (regular) {
    state->file_size = static_cast<std::uint64_t>(info.st_size);
    if (info.st_size == 0) return Error{ErrorCode::kDamaged, "the file is empty"};
    (void)::posix_fadvise(state->descriptor.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }

  archive* const handle = state->handle = archive_read_new();
  if (handle == nullptr) return Error{ErrorCode::kInternal, "out of memory"};
  // These and no others: libarchive knows dozens of formats.
  archive_read_support_format_tar(handle);
  archive_read_support_format_zip(handle);
  archive_read_support_filter_gzip(handle);
  archive_read_support_filter_xz(handle);
  archive_read_support_filter_zstd(handle);
  archive_read_support_filter_bzip2(handle);
  archive_read_set_callback_data(handle, state.get());
  archive_read_set_read_callback(handle, State::read_block);
  if (regular) {
    archive_read_set_seek_callback(handle, State::seek_to);
    archive_read_set_skip_callback(handle, State::skip_bytes);
  }
  if (archive_read_open1(handle) < ARCHIVE_WARN) return state->failure();
  if (archive_filter_count(handle) > kMostFilters)
    return Error{ErrorCode::kUnsupported, "is compressed more than once, which is not read here"};
  return std::unique_ptr<ArchiveReader>(new ArchiveReader(std::move(state)));
}

Result<std::optional<ArchiveEntry>> ArchiveReader::next(
    const std::function<bool(const std::string&)>& wanted) {
  State& state = *state_;
  const auto end = [&](Error error) {
    state.ended = true;
    return error;
  };
  while (!state.ended) {
    if (state.entry != nullptr)
      if (const auto failed = state.skip()) return end(*failed);
    state.entry = nullptr;
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(state.handle, &entry);
    state.at_first_header = false;
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) return end(state.failure());
    if (const auto bomb = state.bomb()) return end(*bomb);
    if (++state.entries > state.limits.max_entries)
      return end({ErrorCode::kTooLarge, "has more than " + std::to_string(state.limits.max_entries) +
                                            " entries; it is not read beyond here"});
    state.entry = entry;
    // A hard link is a second name of a file that came before, without content of its own.
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) continue;
    std::string name = state.name();
    if (!wanted(name)) continue;
    if (name.size() > kLongestName) {
      const Error error{ErrorCode::kUnsupported,
                        "its name has " + size_text(name.size()) + ", too many to be read"};
      name.resize(kLongestName);
      return std::optional(ArchiveEntry{std::move(name), error});
    }
    std::optional<Error> fatal;
    Result<Bytes> content = state.content(fatal);
    if (fatal)
      return end(fatal->code == ErrorCode::kDamaged
                     ? Error{fatal->code, fatal->message + " (at " + name + ")"}
                     : *fatal);
    return std::optional(ArchiveEntry{std::move(name), std::move(content)});
  }
  state.ended = true;
  return std::optional<ArchiveEntry>();
}

}  // namespace xray
