#include <cstdlib>
#include <system_error>
#include <vector>

#include "common/file.h"
#include "diagnose/diagnoser.h"

namespace xray {

Result<std::filesystem::path> shipped_package(const std::filesystem::path& executable) {
  const auto program_folder = executable.parent_path();
  std::string looked_in;
  for (const char* relative : {"../../models", "../share/xray/models"}) {
    const auto models = (program_folder / relative).lexically_normal();
    std::vector<std::filesystem::path> packages;
    std::error_code unreadable;
    for (const auto& entry : std::filesystem::directory_iterator(models, unreadable)) {
      if (std::filesystem::exists(entry.path() / "card.json", unreadable)) packages.push_back(entry.path());
    }
    if (packages.size() == 1) return packages.front();
    if (packages.size() > 1)
      return Error{ErrorCode::kNotFound,
                   "several models lie in " + models.string() + "; one has to be named"};
    looked_in += (looked_in.empty() ? "" : ", ") + models.string();
  }
  return Error{ErrorCode::kNotFound, "no model was named, and none lies in " + looked_in};
}

Result<std::filesystem::path> default_package() {
  if (const char* named = std::getenv("XRAY_MODEL"); named != nullptr && *named != '\0')
    return std::filesystem::path(named);
  const auto executable = own_executable();
  if (!executable) return with_context(executable.error(), "no model was named");
  return shipped_package(*executable);
}

}  // namespace xray
