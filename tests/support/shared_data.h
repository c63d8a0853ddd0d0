#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace xray::test {

/// The folder of real films ($XRAY_SHARED, else `shared` beside the source
/// tree), which not every machine has; whoever needs it skips without it.
inline std::optional<std::filesystem::path> shared_data() {
  const char* const chosen = std::getenv("XRAY_SHARED");
  const std::filesystem::path shared = chosen != nullptr
                                           ? std::filesystem::path(chosen)
                                           : std::filesystem::path(XRAY_SOURCE_DIR).parent_path() / "shared";
  if (!std::filesystem::is_directory(shared / "data")) return std::nullopt;
  return shared / "data";
}

}  // namespace xray::test
