#include "cli/new_folder.h"

#include <unistd.h>

#include <string>
#include <system_error>

namespace xray {

namespace fs = std::filesystem;

bool is_free(const fs::path& folder) {
  std::error_code failure;
  return !fs::exists(folder, failure) || (fs::is_directory(folder, failure) && fs::is_empty(folder, failure));
}

Result<int> make_folder(const fs::path& folder, const std::function<int(const fs::path&)>& fill) {
  const fs::path plain = fs::absolute(folder).lexically_normal();
  const fs::path target = plain.has_filename() ? plain : plain.parent_path();
  const fs::path scratch =
      target.parent_path() / ("." + target.filename().string() + "." + std::to_string(::getpid()));
  std::error_code failure;
  const int code = fill(scratch);
  if (code == 0) fs::rename(scratch, target, failure);
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  return code;
}

}  // namespace xray
