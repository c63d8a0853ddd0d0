#include "load/process_tree.h"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace xray::load {
namespace {

namespace fs = std::filesystem;

/// Of /proc/PID/stat (proc_pid_stat(5)).
struct Stat {
  pid_t parent = 0;
  std::uint64_t ticks = 0;
  std::uint64_t pages = 0;
};

std::optional<Stat> read_stat(const fs::path& process) {
  std::ifstream file(process / "stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name, field 2, stands in parentheses and may hold any character.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  Stat stat;
  std::string skipped;
  std::uint64_t ticks = 0;
  fields >> skipped >> stat.parent;  // fields 3 and 4
  for (int field = 5; field <= 13; ++field) fields >> skipped;
  for (int field = 14; field <= 17; ++field) {  // utime, stime, cutime, cstime
    fields >> ticks;
    stat.ticks += ticks;
  }
  for (int field = 18; field <= 23; ++field) fields >> skipped;
  fields >> stat.pages;  // field 24, rss
  return fields ? std::optional(stat) : std::nullopt;
}

std::uint64_t read_pss(const fs::path& process) {
  std::ifstream file(process / "smaps_rollup");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("Pss:")) continue;
    std::istringstream fields(line.substr(4));
    std::uint64_t kib = 0;
    fields >> kib;
    return kib << 10U;
  }
  return 0;
}

}  // namespace

std::optional<TreeUsage> measure_tree(pid_t root, bool with_pss) {
  std::map<pid_t, Stat> processes;
  std::multimap<pid_t, pid_t> children;
  std::error_code failure;
  for (fs::directory_iterator entry("/proc", failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || stop != name.data() + name.size()) continue;
    const auto stat = read_stat(entry->path());
    if (!stat) continue;
    processes.emplace(pid, *stat);
    children.emplace(stat->parent, pid);
  }
  if (!processes.contains(root)) return std::nullopt;

  const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  TreeUsage usage;
  std::vector<pid_t> open = {root};
  while (!open.empty()) {
    const pid_t pid = open.back();
    open.pop_back();
    const Stat& stat = processes.at(pid);
    ++usage.processes;
    usage.cpu_seconds += static_cast<double>(stat.ticks) / ticks_per_second;
    usage.rss_bytes += stat.pages * page_bytes;
    if (with_pss) usage.pss_bytes += read_pss(fs::path("/proc") / std::to_string(pid));
    const auto [first, last] = children.equal_range(pid);
    for (auto child = first; child != last; ++child) open.push_back(child->second);
  }
  return usage;
}

}  // namespace xray::load
