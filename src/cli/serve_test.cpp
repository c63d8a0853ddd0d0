#include <gtest/gtest.h>
#include <signal.h>

#include <string>
#include <utility>
#include <vector>

#include "common/file.h"
#include "image/encode.h"
#include "serve/http/test_client.h"
#include "support/phantom.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

/// The program itself.
class Program : public Process {
 public:
  explicit Program(std::vector<std::string> arguments, const std::vector<std::string>& environment = {})
      : Process(XRAY_PROGRAM, std::move(arguments), environment) {}
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
