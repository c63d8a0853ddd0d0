#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common/file.h"
#include "image/encode.h"
#include "serve/http/test_client.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

/// The program itself, run with the given arguments; its standard output is read here.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    std::array<int, 2> output{};
    if (::pipe2(output.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    arguments.insert(arguments.begin(), XRAY_PROGRAM);
    const int failed = ::posix_spawn(&pid_, XRAY_PROGRAM, &actions, nullptr, pointers(arguments).data(),
                                     pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(output[1]);
    output_ = output[0];
    if (failed != 0) throw std::runtime_error("the program cannot be started");
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    ::close(output_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

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

class ServeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(write_tiny_package(dir_ / "tiny")); }

  std::vector<std::string> arguments(const std::string& listen) const {
    return {"serve",
            "--listen",
            listen,
            "--store",
            "sqlite:" + (dir_ / "f.sqlite").string(),
            "--model",
            (dir_ / "tiny").string()};
  }

  /// The port in "... http://127.0.0.1:8080 ...".
  static std::uint16_t port_in(const std::string& line) {
    const std::size_t at = line.find("http://127.0.0.1:");
    return at == std::string::npos ? 0 : static_cast<std::uint16_t>(std::stoi(line.substr(at + 17)));
  }

  TempDir dir_;
};

TEST_F(ServeTest, ServesFindingsThatSurviveARestartAndStopsOnSigterm) {
  const Bytes png = encode_png(make_phantom({.opacity = 1})).value();
  std::string self;
  {
    Program program(arguments("127.0.0.1:0"));
    TestClient client(port_in(program.read_line()));
    const Answer created =
        client.request("POST", "/api/v1/findings?name=film.png", {{"Content-Type", "image/png"}},
                       {reinterpret_cast<const char*>(png.data()), png.size()});
    ASSERT_EQ(created.status, 201) << created.body;
    EXPECT_EQ(created.json().at("verdict"), "pneumonia");
    self = created.header("Location");
    EXPECT_EQ(client.request("GET", "/readyz").status, 200);
    program.send_signal(SIGTERM);
    EXPECT_EQ(program.wait(), 0);
  }
  Program program(arguments("127.0.0.1:0"));
  TestClient client(port_in(program.read_line()));
  EXPECT_EQ(client.request("GET", self).json().at("file"), "film.png");
  EXPECT_EQ(client.request("GET", self + "/heatmap").status, 200);
  EXPECT_EQ(client.request("GET", "/api/v1/model").json().at("name"), "tiny");
  program.send_signal(SIGINT);
  EXPECT_EQ(program.wait(), 0);
}

/// Uploads one picture after the other, from another thread, and keeps what came of it.
class Uploads {
 public:
  explicit Uploads(std::uint16_t port)
      : thread_([this, port](const std::stop_token& stop) { run(port, stop); }) {}

  /// Waits until an upload is answered by `model`; false after 20 s.
  bool reach(const std::string& model) {
    std::unique_lock lock(mutex_);
    return answered_.wait_for(lock, std::chrono::seconds(20), [&] {
      return last_ == model || failed_ > 0;
    }) && failed_ == 0;
  }

  /// Ends them; the number of uploads, 0 where one has failed.
  int finish() {
    thread_.request_stop();
    thread_.join();
    return failed_ > 0 ? 0 : count_;
  }

 private:
  void run(std::uint16_t port, const std::stop_token& stop) {
    const Bytes png = encode_png(make_phantom({.width = 64, .height = 64})).value();
    const std::string_view body(reinterpret_cast<const char*>(png.data()), png.size());
    TestClient client(port);
    while (!stop.stop_requested()) {
      int status = 0;
      std::string model;
      try {
        const Answer answer =
            client.request("POST", "/api/v1/findings", {{"Content-Type", "image/png"}}, body);
        status = answer.status;
        if (status == 201) model = answer.json().at("model");
      } catch (const std::exception&) {
        status = 0;
      }
      const std::scoped_lock lock(mutex_);
      ++count_;
      if (status != 201) ++failed_;
      last_ = model;
      answered_.notify_all();
      if (status != 201) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable answered_;
  std::string last_;
  int count_ = 0;
  int failed_ = 0;
  std::jthread thread_;
};

TEST_F(ServeTest, ChangesModelsWithoutFailingARequest) {
  const auto models = dir_ / "models";
  ASSERT_TRUE(write_tiny_package(models / "tiny/1", "1"));
  Program program({"serve", "--listen", "127.0.0.1:0", "--store", "sqlite::memory:", "--model-dir",
                   models.string(), "--shadow", "tiny:next", "--threads", "2"});
  const std::uint16_t port = port_in(program.read_line());
  ASSERT_NE(port, 0);
  Uploads uploads(port);
  EXPECT_TRUE(uploads.reach("tiny 1"));

  ASSERT_TRUE(write_tiny_package(models / "tiny/2", "2"));
  program.send_signal(SIGHUP);
  EXPECT_TRUE(uploads.reach("tiny 2"));
  EXPECT_EQ(TestClient(port).request("GET", "/api/v1/model").json().at("version"), "2");

  ASSERT_TRUE(write_tiny_package(models / "tiny/.3", "3"));
  ASSERT_TRUE(write_file(models / "tiny/.3/network.onnx", "cut short"));
  std::filesystem::rename(models / "tiny/.3", models / "tiny/3");
  program.send_signal(SIGHUP);
  const auto third = [&] {
    return TestClient(port).request("GET", "/api/v1/models").json().at("models").back();
  };
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (third().at("state") != "refused" && std::chrono::steady_clock::now() < patience)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(third().at("version"), "3");
  EXPECT_EQ(third().at("state"), "refused");
  EXPECT_TRUE(uploads.reach("tiny 2"));

  ASSERT_TRUE(write_file(models / "labels.json", R"({"tiny": {"stable": "1", "next": "2"}})"));
  program.send_signal(SIGHUP);
  EXPECT_TRUE(uploads.reach("tiny 1"));
  std::filesystem::remove_all(models / "tiny/1");
  EXPECT_TRUE(uploads.reach("tiny 2"));

  EXPECT_GT(uploads.finish(), 5);
  const auto shadow = TestClient(port).request("GET", "/api/v1/models").json().at("shadow");
  EXPECT_EQ(shadow.at("primary"), "tiny 1");
  EXPECT_EQ(shadow.at("shadow"), "tiny 2");
  EXPECT_GE(shadow.at("taken"), 1);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ServeTest, SaysWhichModelsItCannotServe) {
  const auto exit_of = [this](std::vector<std::string> more) {
    std::vector<std::string> all = {"serve", "--listen", "127.0.0.1:0", "--store", "sqlite::memory:"};
    all.insert(all.end(), more.begin(), more.end());
    return Program(all).wait();
  };
  const std::string folder = (dir_ / "models").string();
  EXPECT_EQ(exit_of({"--model-dir", folder}), 1);
  ASSERT_TRUE(write_tiny_package(dir_ / "models/a", "1", "a"));
  ASSERT_TRUE(write_tiny_package(dir_ / "models/b", "1", "b"));
  EXPECT_EQ(exit_of({"--model-dir", folder}), 2);
  EXPECT_EQ(exit_of({"--model-dir", folder, "--primary", "c"}), 2);
  EXPECT_EQ(exit_of({"--model-dir", folder, "--model", (dir_ / "tiny").string()}), 2);
  EXPECT_EQ(exit_of({"--model-dir", folder, "--primary", "a", "--canary-share", "101"}), 2);
  EXPECT_EQ(exit_of({"--model-dir", folder, "--primary", "a", "--shadow", "a:"}), 2);
  EXPECT_EQ(exit_of({"--primary", "a"}), 2);
  EXPECT_EQ(exit_of({"--shadow", "a"}), 2);
}

TEST_F(ServeTest, TakesThePortFromTheEnvironment) {
  std::vector<std::string> without_listen = arguments("");
  without_listen.erase(without_listen.begin() + 1, without_listen.begin() + 3);
  const Program program(without_listen, {"PORT=0"});
  EXPECT_NE(port_in(program.read_line()), 0);
  EXPECT_EQ(Program(without_listen, {"PORT=http"}).wait(), 2);
}

TEST_F(ServeTest, SaysWhyItCannotStart) {
  const Program first(arguments("127.0.0.1:0"));
  const std::uint16_t port = port_in(first.read_line());
  ASSERT_NE(port, 0);
  EXPECT_EQ(Program(arguments("127.0.0.1:" + std::to_string(port))).wait(), 1);
  EXPECT_EQ(Program(arguments("nonsense")).wait(), 2);
  EXPECT_EQ(Program({"serve", "--listen", "127.0.0.1:0", "--model", (dir_ / "none").string()}).wait(), 1);
  ASSERT_TRUE(write_file(dir_ / "no.sqlite", std::string(1000, 'x')));
  auto damaged = arguments("127.0.0.1:0");
  damaged[4] = "sqlite:" + (dir_ / "no.sqlite").string();
  EXPECT_EQ(Program(damaged).wait(), 1);
  damaged[4] = "mysql:x";
  EXPECT_EQ(Program(damaged).wait(), 2);
}

}  // namespace
}  // namespace xray::test
