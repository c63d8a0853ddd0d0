#include "serve/models/package_scan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <tuple>
#include <vector>

namespace xray {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCardFile = "card.json";
constexpr std::size_t kMaxEntries = 1'000;
/// Of one package; more files than a package has, fewer than it takes to be slow.
constexpr std::size_t kMaxFiles = 1'000;

/// Names in `folder` in their order, hidden ones left out. `budget`: entries that may still come.
Result<std::vector<std::string>> names_in(const fs::path& folder, std::size_t& budget) {
  std::error_code failure;
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    if (budget == 0)
      return Error{ErrorCode::kTooLarge, "more than " + std::to_string(kMaxEntries) + " files and folders"};
    --budget;
    std::string name = entry->path().filename().string();
    if (!name.starts_with('.')) names.push_back(std::move(name));
  }
  // What was removed between two looks is gone, not unreadable.
  if (failure && failure != std::errc::no_such_file_or_directory)
    return Error{ErrorCode::kIo, folder.filename().string() + " cannot be read: " + failure.message()};
  std::ranges::sort(names);
  return names;
}

/// kIo where that cannot be told.
Result<bool> is_there(const fs::path& path, fs::file_type wanted) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (status.type() == fs::file_type::none)
    return Error{ErrorCode::kIo, path.filename().string() + " cannot be examined: " + failure.message()};
  return status.type() == wanted;
}

/// Adds the folder `name` where it is a package. Whether it is one.
Result<bool> add_package(const fs::path& folder, const std::string& name, PackageScan& scan) {
  auto has_card = is_there(folder / name / kCardFile, fs::file_type::regular);
  if (!has_card)
    scan.unreadable.push_back(name);
  else if (*has_card)
    scan.packages[name] = look_of(folder / name);
  return has_card;
}

void describe_files(const fs::path& folder, const std::string& below, int levels, std::size_t& budget,
                    std::string& text) {
  const auto names = names_in(folder, budget);
  if (!names) {
    text += below + "?\n";
    return;
  }
  for (const std::string& name : *names) {
    struct stat info{};
    if (::stat((folder / name).c_str(), &info) != 0) {
      text += below + name + " -\n";
    } else if (S_ISDIR(info.st_mode)) {
      if (levels > 0) describe_files(folder / name, below + name + "/", levels - 1, budget, text);
    } else {
      text += below + name;
      for (const auto number :
           {static_cast<long long>(info.st_size), static_cast<long long>(info.st_ino),
            static_cast<long long>(info.st_mtim.tv_sec), static_cast<long long>(info.st_mtim.tv_nsec)})
        text += " " + std::to_string(number);
      text += "\n";
    }
  }
}

}  // namespace

std::string look_of(const fs::path& package) {
  std::string text;
  std::size_t budget = kMaxFiles;
  describe_files(package, "", 1, budget, text);
  return text;
}

Result<PackageScan> scan_packages(const fs::path& folder) {
  PackageScan scan;
  std::size_t budget = kMaxEntries;
  // Unlike a folder below, this one has to be there.
  const auto there = is_there(folder, fs::file_type::directory);
  if (!there) return there.error();
  if (!*there) return Error{ErrorCode::kIo, "no such folder"};
  const auto outer = names_in(folder, budget);
  if (!outer) return outer.error();
  for (const std::string& name : *outer) {
    const auto is_folder = is_there(folder / name, fs::file_type::directory);
    if (is_folder && !*is_folder) continue;
    const auto is_package = add_package(folder, name, scan);
    if (!is_package || *is_package) continue;
    const auto inner = names_in(folder / name, budget);
    if (!inner && inner.error().code == ErrorCode::kTooLarge) return inner.error();
    if (!inner) {
      scan.unreadable.push_back(name);
      continue;
    }
    for (const std::string& version : *inner)
      std::ignore = add_package(folder, (fs::path(name) / version).string(), scan);
  }
  return scan;
}

}  // namespace xray
