#include "tune/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>

#include "common/descriptor.h"

namespace xray {

Result<Child> Child::start(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                           const std::filesystem::path& log) {
  const Descriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (output.get() < 0) return Error{ErrorCode::kIo, log.string() + ": " + std::strerror(errno)};
  if (::access(program.c_str(), X_OK) != 0)
    return Error{ErrorCode::kIo, program.string() + ": " + std::strerror(errno)};
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Error{ErrorCode::kIo, std::string("cannot start a process: ") + std::strerror(errno)};
  if (pid == 0) {
    // Between fork and exec only what is safe in a signal handler.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    // Ctrl-C is for us; we tell it.
    ::setpgid(0, 0);
    const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
      [[maybe_unused]] const auto written = ::write(score, "500", 3);
      ::close(score);
    }
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output.get(), STDOUT_FILENO);
    ::dup2(output.get(), STDERR_FILENO);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  return Child(pid);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), code_(other.code_) {}

Child::~Child() {
  if (pid_ <= 0 || code_) return;
  send(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::optional<int> Child::poll() {
  int status = 0;
  if (!code_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return code_;
}

void Child::send(int signal) const {
  if (!code_) ::kill(pid_, signal);
}

int Child::end(double seconds) {
  send(SIGTERM);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!poll()) {
    if (std::chrono::steady_clock::now() > until) send(SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return *code_;
}

std::string last_line(const std::filesystem::path& log, std::size_t most) {
  std::ifstream file(log, std::ios::binary | std::ios::ate);
  if (!file) return "";
  constexpr std::streamoff kTail = 4096;
  file.seekg(-std::min<std::streamoff>(kTail, file.tellg()), std::ios::end);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  return last.substr(0, most);
}

}  // namespace xray
