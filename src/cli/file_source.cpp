#include "cli/file_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>
#include <utility>

#include "common/text.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoPictures = "holds no pictures (.jpg, .jpeg, .png, .dcm)";

bool has_picture_name(const fs::path& path) {
  constexpr std::array<const char*, 4> kExtensions = {".jpg", ".jpeg", ".png", ".dcm"};
  const std::string extension = lowered(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

/// What systems put beside pictures and nobody asked for.
bool is_hidden(const fs::path& name) {
  const std::string text = name.string();
  return (text.starts_with('.') && text != "." && text != "..") || text == "__MACOSX";
}

/// Whether a folder of the archive's content would have the file read.
bool is_visible_picture(const fs::path& path) {
  return has_picture_name(path) && std::none_of(path.begin(), path.end(), is_hidden);
}

}  // namespace

FileSource::FileSource(std::vector<SourceArgument> arguments, FileSourceOptions options)
    : options_(std::move(options)) {
  for (auto argument = arguments.rbegin(); argument != arguments.rend(); ++argument)
    stack_.push_back({.kind = argument->list ? Kind::kList : Kind::kNamed,
                      .path = argument->name,
                      .list = std::move(argument->list)});
}

std::optional<FileItem> FileSource::item(fs::path path, std::optional<Error> error) {
  ++files_;
  if (options_.done && options_.done(path)) return std::nullopt;
  return FileItem{std::move(path), std::move(error)};
}

std::optional<FileItem> FileSource::enter_folder(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code failure;
  fs::directory_iterator entry(folder, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const fs::path& path = entry->path();
    if (is_hidden(path.filename())) continue;
    std::error_code broken_link;
    const bool is_link = entry->is_symlink(broken_link);
    if (entry->is_directory(broken_link)) {
      if (!is_link) entries.push_back({.kind = Kind::kFolder, .path = path});
    } else if (has_picture_name(path) && !entry->is_other(broken_link)) {
      entries.push_back({.kind = Kind::kFile, .path = path});
    }
  }
  if (failure) return item(folder, Error{ErrorCode::kIo, "cannot be listed: " + failure.message()});
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path > b.path; });
  std::move(entries.begin(), entries.end(), std::back_inserter(stack_));
  return std::nullopt;
}

std::optional<FileItem> FileSource::enter_archive(const fs::path& path) {
  auto archive = ArchiveReader::open(path, options_.archive, options_.stop);
  if (!archive) return item(path, archive.error());
  if (counting_ && (*archive)->is_compressed()) {
    uncountable_ = true;
    stack_.clear();
    return std::nullopt;
  }
  stack_.push_back(
      {.kind = Kind::kArchive, .path = path, .files_before = files_, .archive = std::move(*archive)});
  return std::nullopt;
}

std::optional<FileItem> FileSource::next_of_archive() {
  const Entry& top = stack_.back();
  const fs::path archive = top.path;
  const auto label = [&](const std::string& name) { return fs::path(archive.string() + ":" + name); };
  auto entry = top.archive->next([&](const std::string& name) {
    if (!is_visible_picture(name)) return false;
    ++files_;
    return !(options_.done && options_.done(label(name)));
  });
  if (entry && *entry) {
    ArchiveEntry& found = **entry;
    if (!found.content) return FileItem{label(found.name), found.content.error()};
    return FileItem{label(found.name), std::nullopt, *std::move(found.content)};
  }
  const bool was_empty = files_ == top.files_before;
  stack_.pop_back();
  if (!entry) return item(archive, entry.error());
  if (was_empty) return item(archive, Error{ErrorCode::kNotFound, kNoPictures});
  return std::nullopt;
}

std::optional<FileItem> FileSource::next_of_list() {
  auto name = stack_.back().list->next();
  if (!name) return item(stack_.back().path, name.error());
  if (*name) {
    stack_.push_back({.kind = Kind::kNamed, .path = **name});
  } else {
    stack_.pop_back();
  }
  return std::nullopt;
}

std::optional<FileItem> FileSource::look_at(Entry entry) {
  if (entry.kind == Kind::kFolderEnd) {
    if (files_ > entry.files_before) return std::nullopt;
    return item(std::move(entry.path), Error{ErrorCode::kNotFound, kNoPictures});
  }
  std::error_code missing;
  const bool is_named = entry.kind == Kind::kNamed;
  if (entry.kind == Kind::kFolder || (is_named && fs::is_directory(entry.path, missing))) {
    if (is_named) stack_.push_back({.kind = Kind::kFolderEnd, .path = entry.path, .files_before = files_});
    return enter_folder(entry.path);
  }
  if (is_named && has_archive_name(entry.path)) return enter_archive(entry.path);
  return item(std::move(entry.path), std::nullopt);
}

std::optional<FileItem> FileSource::next() {
  while (!stack_.empty() && !options_.stop.stop_requested()) {
    std::optional<FileItem> found;
    if (stack_.back().kind == Kind::kList) {
      found = next_of_list();
    } else if (stack_.back().kind == Kind::kArchive) {
      found = next_of_archive();
    } else {
      Entry entry = std::move(stack_.back());
      stack_.pop_back();
      found = look_at(std::move(entry));
    }
    // What was cut short by the stop says nothing about the file.
    if (found && !options_.stop.stop_requested()) return found;
  }
  return std::nullopt;
}

std::optional<FileItem> FileSource::at(std::size_t index) {
  const std::scoped_lock lock(mutex_);
  for (; asked_ <= index; ++asked_) {
    auto item = next();
    if (!item) return std::nullopt;
    waiting_.emplace(asked_, std::move(*item));
  }
  auto found = waiting_.extract(index);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

std::optional<std::size_t> FileSource::count(std::vector<SourceArgument> arguments,
                                             FileSourceOptions options) {
  std::size_t items = 0;
  options.done = [&items, done = std::move(options.done)](const fs::path& path) {
    if (!done || !done(path)) ++items;
    return true;  // so that nothing is read
  };
  FileSource source(std::move(arguments), std::move(options));
  source.counting_ = true;
  while (source.next()) {
  }
  if (source.uncountable_ || source.options_.stop.stop_requested()) return std::nullopt;
  return items;
}

}  // namespace xray
