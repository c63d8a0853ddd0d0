#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace xray {

/// A program of its own that ends with the thread that started it, whatever ends that one. Where the machine
/// runs out of memory, the kernel takes it before us. Not thread-safe.
class Child {
 public:
  /// `arguments` without the program's name; standard output and error go to the end of the file `log`. kIo.
  static Result<Child> start(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                             const std::filesystem::path& log);
  /// Kills it where it still runs.
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

  /// Its exit code, 128 and the signal where one ended it; nothing while it runs.
  std::optional<int> poll();
  void send(int signal) const;
  /// SIGTERM, and SIGKILL for what has not ended `seconds` later. Its exit code.
  int end(double seconds);

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  pid_t pid_;
  std::optional<int> code_;
};

/// The last line of a log that says something, at most `most` bytes of it; "" without one.
std::string last_line(const std::filesystem::path& log, std::size_t most = 300);

}  // namespace xray
