#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/result.h"

namespace xray {

/// What lies below a folder of models.
struct PackageScan {
  /// Where each package lies ("pediatric/2.1.0"), and what its files look like: a text that is another
  /// one as soon as a file comes, goes, grows or is written anew. It is made of names, sizes, times
  /// and numbers on the disk, not of contents.
  std::map<std::string, std::string> packages;
  /// Folders of which nothing can be told just now; what was known of packages in them still holds.
  std::vector<std::string> unreadable;
};

/// Looks for packages (folders with a card.json) in `folder` and in its folders; names that begin
/// with a dot are passed over, links are followed. kIo where `folder` cannot be read, so that a disk
/// that is away for a moment is not taken for an empty one; kTooLarge beyond 1,000 files and folders.
Result<PackageScan> scan_packages(const std::filesystem::path& folder);

/// What the files of one package look like; empty where it is gone.
std::string look_of(const std::filesystem::path& package);

}  // namespace xray
