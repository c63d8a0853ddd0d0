#pragma once

#include <filesystem>

namespace xray {

/// The folder in which compiled networks are kept between two starts: $XRAY_CACHE, else
/// $XDG_CACHE_HOME/xray, else ~/.cache/xray (XDG Base Directory Specification), and in it one for
/// each kind of CPU. It is made where it is missing; empty where that fails, where
/// $XRAY_CACHE is set to nothing, or where others than this user may write to it. Beyond a few
/// networks the oldest are thrown out.
std::filesystem::path cache_folder();

}  // namespace xray
