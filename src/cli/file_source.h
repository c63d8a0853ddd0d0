#pragma once

#include <cstddef>
#include <filesystem>
#include <istream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"

namespace xray {

/// A file to read, or why what was named yields none.
struct FileItem {
  std::filesystem::path path;
  std::optional<Error> error;
};

/// Files by the names on a command line, found one at a time and in order.
///
/// A name of a file stands for itself; a folder for the pictures in it (.jpg,
/// .jpeg, .png, .dcm; any case) at any depth, sorted, without hidden files, not
/// following links to folders, no pipes or devices; "-" for the names on the lines of `names`. A folder
/// without pictures, or one that cannot be read, is an item with an error.
class FileSource {
 public:
  FileSource(const std::vector<std::string>& arguments, std::istream& names);

  /// The next file; nothing at the end. Not thread-safe.
  std::optional<FileItem> next();

  /// The file of number `index`, counted from 0; nothing beyond the end. Each index
  /// is to be asked for once, in any order, instead of next(). Thread-safe.
  std::optional<FileItem> at(std::size_t index);

 private:
  enum class Kind { kNamed, kFolder, kFile, kFolderEnd, kNameList };
  /// What remains to be looked at; the top of `stack_` first.
  struct Entry {
    Kind kind;
    std::filesystem::path path;
    std::size_t files_before = 0;  ///< for kFolderEnd: `files_` when the folder was entered
  };

  /// Puts the folder's entries on the stack; an item where it cannot be read.
  std::optional<FileItem> enter(const std::filesystem::path& folder);

  std::istream& names_;
  std::vector<Entry> stack_;
  std::size_t files_ = 0;

  std::mutex mutex_;
  std::size_t asked_ = 0;
  std::map<std::size_t, FileItem> waiting_;  ///< found on the way to a later index
};

}  // namespace xray
