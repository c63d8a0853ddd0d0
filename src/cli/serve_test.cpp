#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/file.h"
#include "diagnose/selftest.h"
#include "image/encode.h"
#include "model/card.h"
#include "serve/http/test_client.h"
#include "support/certificates.h"
#include "support/phantom.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

/// The program itself.
class Program : public Process {
 public:
  explicit Program(std::vector<std::string> arguments, const std::vector<std::string>& environment = {},
                   const std::string& log = "/dev/null")
      : Process(XRAY_PROGRAM, std::move(arguments), environment, log) {}
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

  /// The answer of /readyz once the self-test has ended.
  static Answer readiness(std::uint16_t port) {
    for (;;) {
      Answer answer = TestClient(port).request("GET", "/readyz");
      if (answer.status == 200 || answer.json().at("code") != "busy") return answer;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  TempDir dir_;
};

TEST_F(ServeTest, ServesFindingsThatSurviveARestartAndStopsOnSigterm) {
  const Bytes png = encode_png(make_phantom({.opacity = 1})).value();
  std::string self;
  {
    Program program(arguments("127.0.0.1:0"));
    const std::uint16_t port = port_in(program.read_line());
    TestClient client(port);
    const Answer created =
        client.request("POST", "/api/v1/findings?name=film.png", {{"Content-Type", "image/png"}},
                       {reinterpret_cast<const char*>(png.data()), png.size()});
    ASSERT_EQ(created.status, 201) << created.body;
    EXPECT_EQ(created.json().at("verdict"), "pneumonia");
    self = created.header("Location");
    EXPECT_EQ(readiness(port).json().at("selftest"), kNoPinnedSelftest);
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

TEST_F(ServeTest, TakesEveryOptionFromTheEnvironment) {
  std::vector<std::string> without_listen = arguments("");
  without_listen.erase(without_listen.begin() + 1, without_listen.begin() + 3);
  const Program program(without_listen, {"PORT=0", "XRAY_LISTEN=127.0.0.1", "XRAY_MAX_BYTES=1KB"});
  const std::uint16_t port = port_in(program.read_line());
  ASSERT_NE(port, 0);
  EXPECT_EQ(TestClient(port)
                .request("POST", "/api/v1/findings", {{"Content-Type", "image/png"}}, std::string(1025, 'x'))
                .status,
            413);
  EXPECT_EQ(Program(without_listen, {"XRAY_THREADS=none"}).wait(), 2);
}

TEST_F(ServeTest, HealthTellsWhetherItIsReady) {
  const Program program(arguments("127.0.0.1:0"));
  const std::uint16_t port = port_in(program.read_line());
  EXPECT_EQ(readiness(port).status, 200);
  const std::string self = "PORT=" + std::to_string(port);
  EXPECT_EQ(Program({"health"}, {self}).wait(), 0);
  EXPECT_EQ(Program({"health"}, {self, "XRAY_LISTEN=0.0.0.0"}).wait(), 0);
  EXPECT_EQ(Program({"health", "http://127.0.0.1:" + std::to_string(port) + "/nothing"}).wait(), 1);
  EXPECT_EQ(Program({"health", "--timeout", "1", "http://127.0.0.1:1"}).wait(), 1);
  EXPECT_EQ(Program({"health", "127.0.0.1:80"}).wait(), 2);
}

TEST_F(ServeTest, IsReadyOnceThePinnedPicturesHaveTheirScores) {
  ASSERT_TRUE(write_selftest(dir_ / "tiny", pin_selftest(dir_ / "tiny").value()));
  {
    const Program program(arguments("127.0.0.1:0"));
    const std::uint16_t port = port_in(program.read_line());
    EXPECT_EQ(TestClient(port).request("GET", "/healthz").status, 200);
    EXPECT_EQ(readiness(port).json().at("selftest"), "6 pinned pictures");
  }
  {
    auto strict = arguments("127.0.0.1:0");
    strict.insert(strict.end(), {"--max-bytes", "1000", "--max-pixels", "1000"});
    const Program program(strict);
    EXPECT_EQ(readiness(port_in(program.read_line())).json().at("selftest"), "6 pinned pictures");
  }
  ModelCard card = tiny_card();
  card.calibration.intercept = 1;
  ASSERT_TRUE(write_package(dir_ / "tiny", card, {tiny_network()}));
  const std::string log = (dir_ / "log").string();
  const Program tampered(arguments("127.0.0.1:0"), {}, log);
  const std::uint16_t port = port_in(tampered.read_line());
  const Answer answer = readiness(port);
  EXPECT_EQ(answer.status, 503);
  const std::string why = answer.json().at("detail");
  EXPECT_NE(why.find("picture 1 of 6 (chest 1, PNG)"), std::string::npos) << why;
  EXPECT_NE(why.find("log-odds off by 1,"), std::string::npos) << why;
  EXPECT_EQ(TestClient(port).request("GET", "/healthz").status, 200);
  EXPECT_NE(read_text(log).value().find("error not ready: self-test: picture 1"), std::string::npos);
  const Bytes film = encode_png(make_phantom()).value();
  const Answer refused = TestClient(port).request("POST", "/api/v1/findings", {{"Content-Type", "image/png"}},
                                                  {reinterpret_cast<const char*>(film.data()), film.size()});
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("the model failed its self-test"), std::string::npos) << refused.body;
}

TEST_F(ServeTest, SaysThatItIsNoLongerReadyBeforeItStops) {
  auto delayed = arguments("127.0.0.1:0");
  delayed.insert(delayed.end(), {"--stop-delay", "2"});
  Program program(delayed);
  const std::uint16_t port = port_in(program.read_line());
  ASSERT_EQ(readiness(port).status, 200);
  program.send_signal(SIGTERM);
  while (readiness(port).status == 200) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(readiness(port).json().at("code"), "cancelled");
  EXPECT_EQ(TestClient(port).request("GET", "/healthz").status, 200);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ServeTest, LogsLinesOfJsonThatTellNothingOfPatients) {
  const Bytes film = encode_png(make_phantom()).value();
  const std::string png(reinterpret_cast<const char*>(film.data()), film.size());
  const std::string log = (dir_ / "log").string();
  Program program(arguments("127.0.0.1:0"), {"XRAY_LOG_FORMAT=json"}, log);
  TestClient client(port_in(program.read_line()));
  const std::vector<Header> named = {{"X-File-Name", "DOE_JANE.png"}, {"X-Request-Id", "abc-1"}};
  EXPECT_EQ(client.request("POST", "/api/v1/findings", named, png).status, 201);
  EXPECT_EQ(client.request("POST", "/api/v1/findings?name=DOE_JANE", {}, png).status, 201);
  EXPECT_EQ(client.request("POST", "/api/v1/findings?name=DOE_JANE", {}, png.substr(0, 999)).status, 400);
  EXPECT_EQ(client.request("POST", "/api/v1/findings?name=DOE_JANE", {}, "DOE_JANE").status, 400);
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"DOE_JANE\"; filename=\"DOE_JANE.png\"\r\n\r\n" + png +
      "\r\n--b--\r\n";
  const std::vector<Header> multipart = {{"Content-Type", "multipart/form-data; boundary=b"}};
  EXPECT_EQ(client.request("POST", "/api/v1/findings", multipart, form).status, 201);
  for (const char* path : {"/DOE_JANE", "/api/v1/findings/DOE_JANE", "/api/v1/findings?before=DOE_JANE"})
    EXPECT_GE(client.request("GET", path).status, 400);
  EXPECT_EQ(client.request("DOE_JANE", "/").status, 405);
  EXPECT_EQ(client.request("GET", "/", {{"X-Request-Id", "DOE JANE"}}).status / 100, 2);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);

  const std::string text = read_text(log).value();
  EXPECT_EQ(text.find("DOE"), std::string::npos) << text;
  bool found = false;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    const auto line = nlohmann::json::parse(text.substr(at, text.find('\n', at) - at));
    for (const char* key : {"ts", "level", "msg"}) EXPECT_TRUE(line.contains(key)) << line;
    if (line.value("request_id", "") != "abc-1") continue;
    found = true;
    EXPECT_EQ(line.at("route"), "/api/v1/findings");
    EXPECT_EQ(line.at("status"), 201);
    EXPECT_EQ(line.at("trace_id").get<std::string>().size(), 32U);
    EXPECT_GT(line.at("bytes"), 0);
    EXPECT_GT(line.at("seconds"), 0);
  }
  EXPECT_TRUE(found);
}

TEST_F(ServeTest, WritesOnlyTheLinesThatAreWanted) {
  const std::string log = (dir_ / "log").string();
  auto quiet = arguments("127.0.0.1:0");
  quiet.insert(quiet.end(), {"--log-level", "error"});
  Program program(quiet, {"XRAY_LOG_LEVEL=debug"}, log);
  EXPECT_EQ(TestClient(port_in(program.read_line())).request("GET", "/healthz").status, 200);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(read_text(log).value(), "");
  EXPECT_EQ(Program(arguments("127.0.0.1:0"), {"XRAY_LOG_FORMAT=xml"}).wait(), 2);
}

TEST_F(ServeTest, TellsMetricsWhereItIsAskedTo) {
  {
    const Program program(arguments("127.0.0.1:0"));
    const Answer answer = TestClient(port_in(program.read_line())).request("GET", "/metrics");
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.body.find("xray_build_info{version=\"0."), std::string::npos);
  }
  auto off = arguments("127.0.0.1:0");
  off.insert(off.end(), {"--metrics", "off"});
  {
    const Program program(off);
    EXPECT_EQ(TestClient(port_in(program.read_line())).request("GET", "/metrics").status, 404);
  }

  auto apart = arguments("127.0.0.1:0");
  apart.insert(apart.end(), {"--metrics", "127.0.0.1:0"});
  const std::string log = (dir_ / "log").string();
  Program program(apart, {}, log);
  EXPECT_EQ(TestClient(port_in(program.read_line())).request("GET", "/metrics").status, 404);
  const std::uint16_t port = port_in(read_text(log).value());
  EXPECT_NE(TestClient(port).request("GET", "/metrics").body.find("xray_ready"), std::string::npos);
  EXPECT_EQ(TestClient(port).request("GET", "/healthz").status, 200);
  EXPECT_EQ(TestClient(port).request("GET", "/api/v1/findings").status, 404);
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  apart.back() = "nonsense";
  EXPECT_EQ(Program(apart).wait(), 2);
}

TEST_F(ServeTest, SaysWhyItCannotStart) {
  const Program first(arguments("127.0.0.1:0"));
  const std::uint16_t port = port_in(first.read_line());
  ASSERT_NE(port, 0);
  EXPECT_EQ(Program(arguments("127.0.0.1:" + std::to_string(port))).wait(), 1);
  EXPECT_EQ(Program(arguments("8080")).wait(), 2);
  auto grpc = arguments("127.0.0.1:0");
  grpc.insert(grpc.end(), {"--grpc", "127.0.0.1:" + std::to_string(port)});
  EXPECT_EQ(Program(grpc).wait(), 1);
  grpc.back() = "nonsense";
  EXPECT_EQ(Program(grpc).wait(), 2);
  EXPECT_EQ(Program({"serve", "--listen", "127.0.0.1:0", "--model", (dir_ / "none").string()}).wait(), 1);
  ASSERT_TRUE(write_file(dir_ / "no.sqlite", std::string(1000, 'x')));
  auto damaged = arguments("127.0.0.1:0");
  damaged[4] = "sqlite:" + (dir_ / "no.sqlite").string();
  EXPECT_EQ(Program(damaged).wait(), 1);
  damaged[4] = "mysql:x";
  EXPECT_EQ(Program(damaged).wait(), 2);
}

/// What `command` writes.
std::string output_of(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> chunk{};
  for (std::size_t got = 0; (got = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0;)
    output.append(chunk.data(), got);
  ::pclose(pipe);
  return output;
}

TEST_F(ServeTest, ServesHttpsAndTakesANewCertificateOnHangup) {
  const auto put = [this](const SelfSigned& pair) {
    ASSERT_TRUE(write_file(dir_ / "tls.key", pair.key));
    ASSERT_TRUE(write_file(dir_ / "tls.crt", pair.certificate));
  };
  const SelfSigned first = make_self_signed();
  const SelfSigned second = make_self_signed();
  put(first);
  auto secure = arguments("127.0.0.1:0");
  secure.insert(secure.end(), {"--tls-cert", dir_ / "tls.crt", "--tls-key", dir_ / "tls.key"});
  Program program(secure);
  const std::string line = program.read_line();
  const std::size_t at = line.find("https://127.0.0.1:");
  ASSERT_NE(at, std::string::npos) << line;
  const std::string url = line.substr(at, line.find(' ', at) - at);
  const auto alive = [&](const SelfSigned& trusted) {
    EXPECT_TRUE(write_file(dir_ / "ca.crt", trusted.certificate));
    return output_of("curl -s --cacert " + (dir_ / "ca.crt").string() + " " + url + "/healthz");
  };
  EXPECT_EQ(alive(first), R"({"status":"alive"})");
  EXPECT_EQ(alive(second), "");
  put(second);
  program.send_signal(SIGHUP);
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (alive(second).empty() && std::chrono::steady_clock::now() < patience)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(alive(second), R"({"status":"alive"})");
  program.send_signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(ServeTest, SaysWhatIsWrongWithACertificate) {
  const std::string log = (dir_ / "log").string();
  const auto exit_of = [&](const std::vector<std::string>& more) {
    auto all = arguments("127.0.0.1:0");
    all.insert(all.end(), more.begin(), more.end());
    return Program(all, {}, log).wait();
  };
  ASSERT_TRUE(write_file(dir_ / "tls.crt", "none"));
  EXPECT_EQ(exit_of({"--tls-cert", dir_ / "tls.crt"}), 2);
  EXPECT_EQ(exit_of({"--tls-cert", dir_ / "tls.crt", "--tls-key", dir_ / "tls.key"}), 1);
  EXPECT_NE(read_text(log).value().find("tls.key: no such file"), std::string::npos);
  EXPECT_EQ(exit_of({"--trust-proxy", "everybody"}), 2);
}

}  // namespace
}  // namespace xray::test
