#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace xray::test {

/// A program, run with the given arguments and environment; its standard output is read here, what it
/// says on standard error goes into the file `log`.
class Process {
 public:
  Process(const std::string& executable, std::vector<std::string> arguments,
          const std::vector<std::string>& environment = {}, const std::string& log = "/dev/null") {
    std::array<int, 2> output{};
    if (::pipe2(output.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT, 0600);
    arguments.insert(arguments.begin(), executable);
    const int failed = ::posix_spawn(&pid_, executable.c_str(), &actions, nullptr, pointers(arguments).data(),
                                     pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(output[1]);
    output_ = output[0];
    if (failed != 0) throw std::system_error(failed, std::generic_category(), executable);
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    ::close(output_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// What it prints up to the end of the line, or up to its end.
  std::string read_line() const {
    std::string line;
    char c = 0;
    while (::read(output_, &c, 1) == 1 && c != '\n') line += c;
    return line;
  }

  void send_signal(int signal) const { ::kill(pid_, signal); }

  /// Its exit code, once it has ended; 128 and the signal where one ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  /// As exec wants them: pointers, and a null at the end.
  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
    all.push_back(nullptr);
    return all;
  }

  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace xray::test
