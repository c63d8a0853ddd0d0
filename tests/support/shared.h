#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace xray::test {

/// Where real pictures may lie: below $XRAY_SHARED, else `shared` beside the
/// checkout. Tests that use them skip themselves where the path does not exist.
inline std::filesystem::path shared(const std::string& below) {
  const char* root = std::getenv("XRAY_SHARED");
  const std::filesystem::path checkout = std::filesystem::path(__FILE__).parent_path() / "../..";
  return (root != nullptr ? root : checkout / "../shared") / std::filesystem::path(below);
}

}  // namespace xray::test
