#include "cli/file_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>
#include <utility>

namespace xray {
namespace {

namespace fs = std::filesystem;

bool has_picture_name(const fs::path& path) {
  constexpr std::array<const char*, 4> kExtensions = {".jpg", ".jpeg", ".png", ".dcm"};
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

}  // namespace

FileSource::FileSource(const std::vector<std::string>& arguments, std::istream& names) : names_(names) {
  for (auto argument = arguments.rbegin(); argument != arguments.rend(); ++argument)
    stack_.push_back({*argument == "-" ? Kind::kNameList : Kind::kNamed, *argument});
}

std::optional<FileItem> FileSource::enter(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code failure;
  fs::directory_iterator entry(folder, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const fs::path& path = entry->path();
    if (path.filename().string().starts_with('.') || path.filename() == "__MACOSX") continue;
    std::error_code broken_link;
    const bool is_link = entry->is_symlink(broken_link);
    if (entry->is_directory(broken_link)) {
      if (!is_link) entries.push_back({Kind::kFolder, path});
    } else if (has_picture_name(path) && !entry->is_other(broken_link)) {
      entries.push_back({Kind::kFile, path});
    }
  }
  if (failure) return FileItem{folder, Error{ErrorCode::kIo, "cannot be listed: " + failure.message()}};
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path > b.path; });
  std::move(entries.begin(), entries.end(), std::back_inserter(stack_));
  return std::nullopt;
}

std::optional<FileItem> FileSource::next() {
  while (!stack_.empty()) {
    if (stack_.back().kind == Kind::kNameList) {
      std::string name;
      if (!std::getline(names_, name)) {
        stack_.pop_back();
      } else if (!name.empty()) {
        stack_.push_back({Kind::kNamed, name});
      }
      continue;
    }
    const Entry entry = std::move(stack_.back());
    stack_.pop_back();
    std::error_code missing;
    const bool is_folder =
        entry.kind == Kind::kFolder || (entry.kind == Kind::kNamed && fs::is_directory(entry.path, missing));
    if (entry.kind == Kind::kFolderEnd) {
      if (files_ > entry.files_before) continue;
      ++files_;
      return FileItem{entry.path, Error{ErrorCode::kNotFound, "holds no pictures (.jpg, .jpeg, .png, .dcm)"}};
    }
    if (is_folder) {
      if (entry.kind == Kind::kNamed) stack_.push_back({Kind::kFolderEnd, entry.path, files_});
      auto unreadable = enter(entry.path);
      if (!unreadable) continue;
      ++files_;
      return unreadable;
    }
    ++files_;
    return FileItem{entry.path, std::nullopt};
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

}  // namespace xray
