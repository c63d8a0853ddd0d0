#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "common/descriptor.h"
#include "common/result.h"

namespace xray {

/// What stands between the names of a list.
enum class NameSeparator {
  kLine,  ///< LF or CRLF; a byte order mark in front is passed over
  kNull,  ///< NUL, as `find -print0` writes it
};

/// Names of files, from a list of any length in bounded memory. Not thread-safe.
class NameReader {
 public:
  /// Longer names are errors: no system opens them.
  static constexpr std::size_t kLongest = 4096;

  /// The list in the file `path`, "-" for standard input. kNotFound, kIo.
  static Result<NameReader> open(const std::filesystem::path& path, NameSeparator separator,
                                 std::stop_token stop = {});
  NameReader(Descriptor list, NameSeparator separator, std::stop_token stop = {});

  /// The next name that is not empty; nothing at the end, or once a stop was requested, even
  /// while it waits for somebody to write. kTooLarge: a name beyond kLongest, passed over;
  /// kIo: the list ends here.
  Result<std::optional<std::string>> next();

 private:
  /// Reads more; false at the end.
  Result<bool> fill();
  std::string take(std::size_t end);

  Descriptor list_;
  char separator_;
  std::stop_token stop_;
  std::string buffer_;
  std::size_t at_ = 0;  ///< what comes before was given out
  bool ended_ = false;
  bool at_start_ = true;
};

}  // namespace xray
