#include "cli/name_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace xray {
namespace {

constexpr std::size_t kBlock = 65536;
constexpr int kLookForStop = 200;  // milliseconds

Error last_error(const char* doing) {
  return {ErrorCode::kIo, std::string(doing) + ": " + std::generic_category().message(errno)};
}

}  // namespace

Result<NameReader> NameReader::open(const std::filesystem::path& path, NameSeparator separator,
                                    std::stop_token stop) {
  Descriptor list(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                              : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (list.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Error{ErrorCode::kNotFound, "no such file"};
    return last_error("cannot be opened");
  }
  struct stat info{};
  if (::fstat(list.get(), &info) == 0 && S_ISDIR(info.st_mode))
    return Error{ErrorCode::kIo, "is a directory, not a list of names"};
  return NameReader(std::move(list), separator, std::move(stop));
}

NameReader::NameReader(Descriptor list, NameSeparator separator, std::stop_token stop)
    : list_(std::move(list)),
      separator_(separator == NameSeparator::kLine ? '\n' : '\0'),
      stop_(std::move(stop)) {}

Result<bool> NameReader::fill() {
  if (ended_) return false;
  buffer_.erase(0, at_);
  at_ = 0;
  // A reader that waits for a pipe would not see that it is to stop.
  pollfd waiting{list_.get(), POLLIN, 0};
  while (::poll(&waiting, 1, kLookForStop) == 0 && !stop_.stop_requested()) {
  }
  if (stop_.stop_requested()) {
    ended_ = true;
    return false;
  }
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kBlock);
  ssize_t got = 0;
  do {
    got = ::read(list_.get(), buffer_.data() + before, kBlock);
  } while (got < 0 && errno == EINTR);
  buffer_.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
  if (got > 0) return true;
  ended_ = true;
  if (got < 0) return last_error("the list of names cannot be read");
  return false;
}

std::string NameReader::take(std::size_t end) {
  std::string name = buffer_.substr(at_, end - at_);
  at_ = std::min(end + 1, buffer_.size());
  if (separator_ == '\n') {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (at_start_ && name.starts_with(kByteOrderMark)) name.erase(0, kByteOrderMark.size());
    if (name.ends_with('\r')) name.pop_back();
  }
  at_start_ = false;
  return name;
}

Result<std::optional<std::string>> NameReader::next() {
  bool too_long = false;
  for (;;) {
    if (stop_.stop_requested()) return std::optional<std::string>();
    const std::size_t end = buffer_.find(separator_, at_);
    if (end == std::string::npos) {
      if (buffer_.size() - at_ > kLongest) {
        too_long = true;
        at_ = buffer_.size();
      }
      const auto more = fill();
      if (!more) return more.error();
      if (*more) continue;
      if (stop_.stop_requested() || (at_ == buffer_.size() && !too_long)) return std::optional<std::string>();
    }
    const std::string name = take(std::min(end, buffer_.size()));
    if (too_long || name.size() > kLongest)
      return Error{ErrorCode::kTooLarge, "a name in the list has more than " + std::to_string(kLongest) +
                                             " bytes; it is passed over"};
    if (!name.empty()) return std::optional(name);
  }
}

}  // namespace xray
