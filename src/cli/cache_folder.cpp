#include "cli/cache_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "common/file.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Networks that are kept: three a model, a few models, numbers of threads and versions.
constexpr std::size_t kMostNetworks = 24;

fs::path wanted_folder() {
  // Read before any thread starts.
  const auto environment = [](const char* name) {
    return std::getenv(name);
  };  // NOLINT(concurrency-mt-unsafe)
  if (const char* named = environment("XRAY_CACHE"); named != nullptr) return named;
  if (const char* base = environment("XDG_CACHE_HOME"); base != nullptr && *base == '/')
    return fs::path(base) / "xray";
  if (const char* home = environment("HOME"); home != nullptr && *home == '/')
    return fs::path(home) / ".cache" / "xray";
  return {};
}

/// A name for this kind of CPU: homes are shared between machines, compiled networks cannot be.
std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  std::string told;
  for (std::string line; std::getline(info, line) && !line.empty();)
    if (line.starts_with("model name") || line.starts_with("flags")) told += line;
  return sha256_hex(std::as_bytes(std::span(told))).substr(0, 16);
}

bool is_ours_alone(const fs::path& folder) {
  struct stat status{};
  return ::stat(folder.c_str(), &status) == 0 && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

void throw_out_old(const fs::path& folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> networks;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure))
    networks.emplace_back(entry.last_write_time(failure), entry.path());
  if (networks.size() <= kMostNetworks) return;
  std::ranges::sort(networks);
  networks.resize(networks.size() - kMostNetworks);
  for (const auto& [time, path] : networks) fs::remove(path, failure);
}

}  // namespace

std::filesystem::path cache_folder() {
  const fs::path base = wanted_folder();
  if (base.empty()) return {};
  fs::path folder = base / ("networks-" + cpu_name());
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure || !is_ours_alone(base) || !is_ours_alone(folder)) return {};
  throw_out_old(folder);
  return folder;
}

}  // namespace xray
