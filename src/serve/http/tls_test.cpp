#include "serve/http/tls.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "common/file.h"
#include "serve/http/http_server.h"
#include "serve/http/problem.h"
#include "serve/http/test_client.h"
#include "support/certificates.h"
#include "support/temp_dir.h"

namespace xray::test {
namespace {

using std::chrono::milliseconds;

/// What a client wants of TLS.
struct ClientTls {
  int oldest = TLS1_2_VERSION;
  int newest = TLS1_3_VERSION;
  const char* ciphers = nullptr;  ///< of TLS 1.2
  const char* protocol = nullptr;
};

/// A client through TLS, which trusts one certificate alone.
class TlsClient : public TestClient {
 public:
  TlsClient(std::uint16_t port, const std::string& certificate, const ClientTls& wanted = {})
      : TestClient(port) {
    SSL_CTX_set_min_proto_version(context_.get(), wanted.oldest);
    SSL_CTX_set_max_proto_version(context_.get(), wanted.newest);
    // Old versions need it, to be offered at all.
    SSL_CTX_set_security_level(context_.get(), 0);
    if (wanted.ciphers != nullptr) SSL_CTX_set_cipher_list(context_.get(), wanted.ciphers);
    if (wanted.protocol != nullptr) {
      const std::string list = char(std::string_view(wanted.protocol).size()) + std::string(wanted.protocol);
      SSL_CTX_set_alpn_protos(context_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size()));
    }
    const TempDir dir;
    std::ignore = write_file(dir / "ca.pem", certificate);
    SSL_CTX_load_verify_locations(context_.get(), (dir / "ca.pem").c_str(), nullptr);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set1_host(ssl_.get(), "localhost");
    SSL_set_fd(ssl_.get(), socket());
    shook_hands_ = SSL_connect(ssl_.get()) == 1;
  }

  bool shook_hands() const { return shook_hands_; }
  std::string version() const { return SSL_get_version(ssl_.get()); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  /// Says goodbye, as a client that goes away does.
  void leave() {
    SSL_shutdown(ssl_.get());
    ::shutdown(socket(), SHUT_WR);
  }

 protected:
  ssize_t write_some(std::string_view bytes) override {
    return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  ssize_t read_some(char* to, std::size_t size) override {
    const int got = SSL_read(ssl_.get(), to, static_cast<int>(size));
    return got <= 0 && SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN ? 0 : got;
  }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL_CTX, Free> context_{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, Free> ssl_;
  bool shook_hands_ = false;
};

/// Says how many bytes it was sent, answers "/big" with many, and keeps "/slow" waiting.
class CountingHandler : public Handler {
 public:
  static constexpr std::size_t kBig = 8U << 20U;

  Admission admit(const Request& head) override {
    if (head.path == "/full") return {2U << 20U, busy("later", milliseconds(100))};
    return {64U << 20U, std::nullopt};
  }
  void handle(const Request& request, Reply reply) override {
    if (request.path == "/slow") {
      slow_.set_value({request.abandoned, std::move(reply)});
      return;
    }
    if (request.path == "/big") return reply({200, {}, std::string(kBig, 'x')});
    reply({200, {}, std::to_string(request.body.size()) + (request.origin.secure ? " secure" : " plain")});
  }

  std::promise<std::pair<std::stop_token, Reply>> slow_;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    put(first_);
    certificates_ = TlsCertificates::load(dir_ / "tls.crt", dir_ / "tls.key").value();
  }
  void TearDown() override {
    if (server_ != nullptr) server_->stop();
  }

  void put(const SelfSigned& pair) const {
    ASSERT_TRUE(write_file(dir_ / "tls.crt", pair.certificate));
    ASSERT_TRUE(write_file(dir_ / "tls.key", pair.key));
  }

  std::uint16_t serve(HttpOptions options = {}) {
    options.port = 0;
    options.tls = certificates_.get();
    server_ = HttpServer::listen(options).value();
    thread_ = std::jthread([this] { server_->run(handler_); });
    return server_->port();
  }

  const TempDir dir_;
  const SelfSigned first_ = make_self_signed();
  const SelfSigned second_ = make_self_signed();
  std::unique_ptr<TlsCertificates> certificates_;
  CountingHandler handler_;
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;
};

TEST_F(TlsTest, ServesThroughBothVersionsThatAreSafe) {
  const std::uint16_t port = serve();
  EXPECT_EQ(server_->url(), "https://127.0.0.1:" + std::to_string(port));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(port, first_.certificate, {.oldest = version, .newest = version});
    ASSERT_TRUE(client.shook_hands()) << version;
    const Answer answer = client.request("GET", "/");
    EXPECT_EQ(answer.body, "0 secure");
    EXPECT_EQ(answer.header("Strict-Transport-Security"), "max-age=31536000");
    EXPECT_EQ(client.request("POST", "/", {}, "again").body, "5 secure");
  }
}

TEST_F(TlsTest, RefusesOldVersionsAndCiphersWithoutForwardSecrecy) {
  const std::uint16_t port = serve();
  EXPECT_FALSE(
      TlsClient(port, first_.certificate, {.oldest = TLS1_VERSION, .newest = TLS1_1_VERSION}).shook_hands());
  for (const char* ciphers : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "aNULL"})
    EXPECT_FALSE(
        TlsClient(port, first_.certificate, {.newest = TLS1_2_VERSION, .ciphers = ciphers}).shook_hands())
        << ciphers;
}

TEST_F(TlsTest, AgreesOnHttp11) {
  const std::uint16_t port = serve();
  EXPECT_EQ(TlsClient(port, first_.certificate, {.protocol = "http/1.1"}).protocol(), "http/1.1");
  TlsClient other(port, first_.certificate, {.protocol = "h2"});
  EXPECT_TRUE(other.shook_hands());
  EXPECT_EQ(other.protocol(), "");
}

TEST_F(TlsTest, CarriesLargeBodiesBothWays) {
  TlsClient client(serve(), first_.certificate);
  EXPECT_EQ(client.request("POST", "/", {}, std::string(5'000'001, 'b')).body, "5000001 secure");
  EXPECT_EQ(client.request("GET", "/big").body, std::string(CountingHandler::kBig, 'x'));
}

TEST_F(TlsTest, PassesOverABodyThatWasRefused) {
  TlsClient client(serve(), first_.certificate);
  EXPECT_EQ(client.request("POST", "/full", {}, std::string(900'000, 'b')).status, 503);
  EXPECT_EQ(client.request("GET", "/").body, "0 secure");
}

TEST_F(TlsTest, ClosesWithAGoodbye) {
  TlsClient client(serve(), first_.certificate);
  client.request("GET", "/", {{"Connection", "close"}});
  EXPECT_TRUE(client.closed());
}

TEST_F(TlsTest, GivesUpWhatNobodyWaitsFor) {
  TlsClient client(serve(), first_.certificate);
  client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  auto [abandoned, reply] = handler_.slow_.get_future().get();
  EXPECT_FALSE(abandoned.stop_requested());
  client.leave();
  for (int i = 0; i < 5'000 && !abandoned.stop_requested(); ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(abandoned.stop_requested());
  reply({200, {}, ""});
}

TEST_F(TlsTest, TakesANewCertificateWithoutEndingConnections) {
  const std::uint16_t port = serve();
  TlsClient before(port, first_.certificate);
  EXPECT_EQ(before.request("GET", "/").status, 200);
  put(second_);
  certificates_->look();
  EXPECT_TRUE(TlsClient(port, second_.certificate).shook_hands());
  EXPECT_FALSE(TlsClient(port, first_.certificate).shook_hands());
  EXPECT_EQ(before.request("GET", "/").status, 200);
}

TEST_F(TlsTest, KeepsTheOldPairWhereTheNewOneIsBroken) {
  const std::uint16_t port = serve();
  const auto goes_on = [&] {
    certificates_->look();
    return TlsClient(port, first_.certificate).shook_hands();
  };
  ASSERT_TRUE(write_file(dir_ / "tls.crt", second_.certificate));
  EXPECT_TRUE(goes_on()) << "the key is the old one";
  ASSERT_TRUE(write_file(dir_ / "tls.crt", "no certificate"));
  EXPECT_TRUE(goes_on());
  std::filesystem::remove(dir_ / "tls.crt");
  EXPECT_TRUE(goes_on());
  put(second_);
  EXPECT_FALSE(goes_on());
}

TEST_F(TlsTest, TellsWhatIsWrongWithTheFiles) {
  const auto complaint = [&](const std::string& certificate, const std::string& key) {
    EXPECT_TRUE(write_file(dir_ / "a.crt", certificate));
    EXPECT_TRUE(write_file(dir_ / "a.key", key));
    const auto loaded = TlsCertificates::load(dir_ / "a.crt", dir_ / "a.key");
    return loaded ? std::string("none") : loaded.error().message;
  };
  EXPECT_NE(complaint("", first_.key).find("a.crt holds no certificate in PEM"), std::string::npos);
  EXPECT_NE(complaint(first_.certificate, "?").find("a.key holds no private key in PEM"), std::string::npos);
  EXPECT_NE(complaint(first_.certificate, second_.key).find("a.key is not the key of the certificate in"),
            std::string::npos);
  EXPECT_EQ(complaint(first_.certificate, first_.key), "none");
  const auto missing = TlsCertificates::load(dir_ / "none.crt", dir_ / "a.key");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("none.crt"), std::string::npos);
}

TEST_F(TlsTest, EndsHandshakesThatDoNotEnd) {
  HttpOptions options;
  options.header_timeout = milliseconds(100);
  const std::uint16_t port = serve(options);
  TestClient silent(port);
  EXPECT_TRUE(silent.closed());
  TestClient half(port);
  half.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_TRUE(half.closed());
  EXPECT_TRUE(TlsClient(port, first_.certificate).shook_hands());
}

TEST_F(TlsTest, HasSlowHandshakesMakeWay) {
  HttpOptions options;
  options.max_connections = 1;
  options.lag_when_full = milliseconds(0);
  const std::uint16_t port = serve(options);
  TestClient slow(port);
  while (server_->load().connections < 1) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(TlsClient(port, first_.certificate).shook_hands());
  EXPECT_TRUE(slow.closed());
}

TEST_F(TlsTest, AnswersNothingInTheClear) {
  TestClient plain(serve());
  plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THROW(plain.receive(), std::runtime_error);
}

}  // namespace
}  // namespace xray::test
