#pragma once

#include <filesystem>
#include <functional>

#include "common/result.h"

namespace xray {

/// Whether a folder of that name may be made: there is none yet, or an empty one.
bool is_free(const std::filesystem::path& folder);

/// Lets `fill` make a folder that appears as `folder` whole or not at all: it is made beside it, under a
/// name that begins with a dot. `fill` gives the exit code; the folder stays where that is 0. kIo.
Result<int> make_folder(const std::filesystem::path& folder,
                        const std::function<int(const std::filesystem::path&)>& fill);

}  // namespace xray
