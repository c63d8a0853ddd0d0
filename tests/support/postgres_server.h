#pragma once

#include <signal.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace xray::test {

/// A PostgreSQL server of the test's own (tests/support/postgres.sh), in a folder of its own.
class PostgresServer {
 public:
  /// Null where PostgreSQL is not installed.
  static std::unique_ptr<PostgresServer> start() {
    auto server = std::unique_ptr<PostgresServer>(new PostgresServer);
    const int code = server->script({"init", server->folder_.path().string()}).wait();
    if (code == kNotInstalled) return nullptr;
    if (code != 0) throw std::runtime_error("initdb failed");
    server->run();
    return server;
  }
  ~PostgresServer() {
    if (process_) stop(SIGQUIT);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// Starts it, again where it was stopped; it answers by the end.
  void run() {
    process_.emplace(kShell, std::vector<std::string>{kScript, "run", folder_.path().string()}, environment(),
                     (folder_ / "log").string());
    if (script({"wait", folder_.path().string()}).wait() != 0)
      throw std::runtime_error("PostgreSQL did not start: " + (folder_ / "log").string());
  }
  /// SIGQUIT as in a crash, SIGINT as in a restart by its operator.
  void stop(int how = SIGQUIT) {
    process_->send_signal(how);
    process_->wait();
    process_.reset();
  }
  void send_signal(int signal) { process_->send_signal(signal); }

  /// A schema that nobody has used yet.
  std::string fresh_url() {
    const std::string name = "s" + std::to_string(count_++);
    if (script({"sql", folder_.path().string(), "CREATE SCHEMA " + name}).wait() != 0)
      throw std::runtime_error("no schema was made");
    return url() + "&options=-csearch_path%3D" + name;
  }
  std::string url() const { return "postgresql://xray@/postgres?host=" + folder_.path().string(); }

 private:
  static constexpr int kNotInstalled = 77;
  static constexpr const char* kShell = "/bin/bash";
  static constexpr const char* kScript = XRAY_SOURCE_DIR "/tests/support/postgres.sh";

  PostgresServer() = default;

  static std::vector<std::string> environment() { return {"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}; }
  Process script(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), kScript);
    return {kShell, std::move(arguments), environment(), (folder_ / "script.log").string()};
  }

  TempDir folder_;
  std::optional<Process> process_;
  int count_ = 0;
};

}  // namespace xray::test
