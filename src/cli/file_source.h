#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/archive_reader.h"
#include "cli/name_reader.h"
#include "common/error.h"
#include "common/file.h"

namespace xray {

/// A file to read, or why what was named yields none.
struct FileItem {
  /// In an archive: "archive.zip:path/in/it.png", which opens nothing.
  std::filesystem::path path;
  std::optional<Error> error;
  std::optional<Bytes> content{};  ///< of a file in an archive
};

/// What stands on a command line: a name, or a list of them.
struct SourceArgument {
  std::string name;
  std::unique_ptr<NameReader> list{};  ///< where there is one, `name` only tells it in errors
};

struct FileSourceOptions {
  ArchiveLimits archive;
  /// What it returns true of is passed over; asked once an item, in order, before anything is read.
  std::function<bool(const std::filesystem::path&)> done{};
  std::stop_token stop{};  ///< after it come no more items
};

/// Files by the names on a command line, found one at a time and in order.
///
/// A name of a file stands for itself; a folder for the pictures in it (.jpg,
/// .jpeg, .png, .dcm; any case) at any depth, sorted, without hidden files, not
/// following links to folders, no pipes or devices; an archive (by its name, see
/// has_archive_name) for the pictures in it, likewise but in its own order. Archives in folders
/// and in archives are not entered: a folder stands for pictures. A folder or archive
/// without pictures, or one that cannot be read, is an item with an error.
class FileSource {
 public:
  explicit FileSource(std::vector<SourceArgument> arguments, FileSourceOptions options = {});

  /// The next file; nothing at the end. Not thread-safe.
  std::optional<FileItem> next();

  /// The file of number `index`, counted from 0; nothing beyond the end. Each index
  /// is to be asked for once, in any order, instead of next(). Thread-safe.
  std::optional<FileItem> at(std::size_t index);

  /// How many items next() would give; nothing where a compressed archive would have to be
  /// unpacked to know, or the stop came. An archive that turns out damaged may give fewer.
  static std::optional<std::size_t> count(std::vector<SourceArgument> arguments,
                                          FileSourceOptions options = {});

 private:
  enum class Kind { kNamed, kFolder, kFile, kFolderEnd, kList, kArchive };
  /// What remains to be looked at; the top of `stack_` first.
  struct Entry {
    Kind kind;
    std::filesystem::path path;
    std::size_t files_before = 0;              ///< for kFolderEnd, kArchive: `files_` when it was entered
    std::unique_ptr<NameReader> list{};        ///< for kList
    std::unique_ptr<ArchiveReader> archive{};  ///< for kArchive
  };

  /// The item, unless it is done.
  std::optional<FileItem> item(std::filesystem::path path, std::optional<Error> error);
  std::optional<FileItem> look_at(Entry entry);
  std::optional<FileItem> next_of_list();
  std::optional<FileItem> next_of_archive();
  std::optional<FileItem> enter_folder(const std::filesystem::path& folder);
  std::optional<FileItem> enter_archive(const std::filesystem::path& path);

  FileSourceOptions options_;
  std::vector<Entry> stack_;
  std::size_t files_ = 0;  ///< found so far, done or not
  bool counting_ = false;
  bool uncountable_ = false;

  std::mutex mutex_;
  std::size_t asked_ = 0;
  std::map<std::size_t, FileItem> waiting_;  ///< found on the way to a later index
};

}  // namespace xray
