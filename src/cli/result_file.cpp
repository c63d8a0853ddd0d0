#include "cli/result_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <random>
#include <span>
#include <system_error>

#include "cli/result_reader.h"
#include "common/file.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

Error last_error(const char* doing) {
  return {ErrorCode::kIo, std::string(doing) + ": " + std::generic_category().message(errno)};
}

Result<Done> lock(const Descriptor& file) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return Done{};
  // Some file systems have no locks, which is no reason to write nothing.
  if (errno != EWOULDBLOCK) return Done{};
  return Error{ErrorCode::kBusy, "another run is writing it"};
}

/// What the lines of `path` tell, and how many bytes of it are whole lines.
Result<std::uint64_t> read_earlier(const fs::path& path, const ResumeOptions& options,
                                   EarlierResults& earlier) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return last_error("cannot be opened");
  ResultReader reader(in, options.format);
  for (;;) {
    auto line = reader.next();
    if (!line) return line.error();
    if (!*line) return reader.whole_bytes();
    if (!(*line)->model.empty() && (*line)->model != options.model && !options.mix_models)
      return Error{ErrorCode::kInvalidArgument, "holds findings of the model " + (*line)->model +
                                                    ", and this one is " + options.model +
                                                    "; --mix-models goes on all the same"};
    if ((*line)->failed) ++earlier.failed;
    if ((*line)->failed && options.retry_failed) continue;
    earlier.files.add((*line)->file);
    if (!(*line)->heatmap.empty()) earlier.heatmaps.push_back(std::move((*line)->heatmap));
  }
}

Result<Done> write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(file, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EPIPE) return Error{ErrorCode::kCancelled, "nobody reads it any more"};
    if (put < 0) return last_error("cannot be written");
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return Done{};
}

/// Puts a copy of `path` without the lines of what failed in its place.
Result<Descriptor> without_failed(const fs::path& path, RowFormat format, mode_t mode) {
  const fs::path temporary = path.string() + ".tmp" + std::to_string(std::random_device{}());
  Descriptor file(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777U));
  if (file.get() < 0) return last_error("its copy without errors cannot be written");
  const auto give_up = [&](Error error) {
    ::unlink(temporary.c_str());
    return error;
  };
  if (const auto locked = lock(file); !locked) return give_up(locked.error());
  std::ifstream in(path, std::ios::binary);
  ResultReader reader(in, format);
  std::string text = head_line(format);
  for (;;) {
    const auto line = reader.next();
    if (!line) return give_up(line.error());
    if (*line && !(*line)->failed) text += (*line)->text;
    if (*line && text.size() < ResultReader::kLongestLine) continue;
    if (const auto written = write_all(file.get(), text); !written) return give_up(written.error());
    if (!*line) break;
    text.clear();
  }
  if (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)
    return give_up(last_error("its copy without errors cannot be put in place"));
  return file;
}

}  // namespace

NameTally::Key NameTally::key_of(std::string_view name) {
  const std::string digest = sha256_hex(std::as_bytes(std::span(name)));
  constexpr std::size_t kDigits = 16;  // of 64 bits
  Key key;
  std::from_chars(digest.data(), digest.data() + kDigits, key.first, 16);
  std::from_chars(digest.data() + kDigits, digest.data() + 2 * kDigits, key.second, 16);
  return key;
}

void NameTally::add(std::string_view name) {
  names_.push_back({key_of(name)});
  sorted_ = false;
}

bool NameTally::take(std::string_view name) {
  if (!sorted_) {
    std::ranges::sort(names_, {}, &Counted::key);
    Counted* first = nullptr;
    for (Counted& counted : names_) {
      if (first != nullptr && first->key == counted.key) {
        ++first->left;
      } else {
        first = &counted;
      }
    }
    sorted_ = true;
  }
  const Key key = key_of(name);
  const auto found = std::ranges::lower_bound(names_, key, {}, &Counted::key);
  if (found == names_.end() || found->key != key || found->left == 0) return false;
  --found->left;
  return true;
}

Result<ResultFile> ResultFile::standard_output() {
  Descriptor file(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (file.get() < 0) return last_error("cannot be written");
  // Somebody else's file: what stands in it is not ours to cut.
  return ResultFile(std::move(file), false, 0);
}

Result<ResultFile> ResultFile::create(const fs::path& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  struct stat info{};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) return last_error("cannot be written");
  if (!S_ISREG(info.st_mode)) return ResultFile(std::move(file), false, 0);
  if (const auto locked = lock(file); !locked) return locked.error();
  if (info.st_size > 0)
    return Error{ErrorCode::kInvalidArgument,
                 "exists already; --resume goes on with it, or else remove it first"};
  return ResultFile(std::move(file), true, 0);
}

Result<std::pair<ResultFile, EarlierResults>> ResultFile::resume(const fs::path& path,
                                                                 const ResumeOptions& options) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  struct stat info{};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) return last_error("cannot be written");
  if (!S_ISREG(info.st_mode))
    return Error{ErrorCode::kInvalidArgument, "is not a file that a run could go on with"};
  if (const auto locked = lock(file); !locked) return locked.error();
  EarlierResults earlier;
  auto size = read_earlier(path, options, earlier);
  if (!size) return size.error();
  if (options.retry_failed && earlier.failed > 0) {
    std::error_code failure;
    const fs::path real = fs::canonical(path, failure);
    auto copy = without_failed(failure ? path : real, options.format, info.st_mode);
    if (!copy) return copy.error();
    file = std::move(*copy);
    earlier.failed = 0;
    if (::fstat(file.get(), &info) != 0 || ::lseek(file.get(), 0, SEEK_END) < 0)
      return last_error("cannot be written");
    size = static_cast<std::uint64_t>(info.st_size);
  } else if (*size < static_cast<std::uint64_t>(info.st_size) &&
             ::ftruncate(file.get(), static_cast<off_t>(*size)) != 0) {
    return last_error("its last line, which is not whole, cannot be cut off");
  }
  return std::pair(ResultFile(std::move(file), true, *size), std::move(earlier));
}

Result<Done> ResultFile::append(std::string_view line) {
  auto written = write_all(file_.get(), line);
  if (written) {
    size_ += line.size();
  } else if (regular_) {
    // The half that fitted; were it to stay, --resume would cut it off.
    (void)!::ftruncate(file_.get(), static_cast<off_t>(size_));
  }
  return written;
}

Result<Done> ResultFile::finish() const {
  if (regular_ && ::fsync(file_.get()) != 0) return last_error("cannot be written to the disk");
  return Done{};
}

}  // namespace xray
