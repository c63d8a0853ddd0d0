#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <thread>
#include <tuple>

#include "auth/oidc.h"
#include "common/file.h"
#include "support/certificates.h"
#include "support/temp_dir.h"

namespace xray::test {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Answers one connection through TLS, as far as its client goes on.
class TlsAnswer {
 public:
  explicit TlsAnswer(const SelfSigned& own, const std::string& answer, int newest = TLS1_3_VERSION)
      : context_(asio::ssl::context::tls_server), acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
    context_.use_certificate_chain(asio::buffer(own.certificate));
    context_.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
    SSL_CTX_set_security_level(context_.native_handle(), 0);
    SSL_CTX_set_max_proto_version(context_.native_handle(), newest);
    thread_ = std::jthread([this, answer] { serve(answer); });
  }

  Result<std::string> ask(const std::string& host = "localhost") const {
    const auto port = acceptor_.local_endpoint().port();
    return fetch_https(
        {.url = "https://" + host + ":" + std::to_string(port) + "/", .form = {}, .authorization = {}});
  }

 private:
  void serve(const std::string& answer) {
    boost::system::error_code error;
    asio::ssl::stream<tcp::socket> stream(io_, context_);
    std::ignore = acceptor_.accept(stream.lowest_layer(), error);
    std::ignore = stream.handshake(asio::ssl::stream_base::server, error);
    std::string head;
    if (!error) asio::read_until(stream, asio::dynamic_buffer(head), "\r\n\r\n", error);
    if (!error) asio::write(stream, asio::buffer(answer), error);
    std::ignore = stream.shutdown(error);
  }

  asio::io_context io_;
  asio::ssl::context context_;
  tcp::acceptor acceptor_;
  std::jthread thread_;
};

/// With `$SSL_CERT_FILE` of its own.
class FetchHttpsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* was = std::getenv("SSL_CERT_FILE")) was_ = was;
  }
  void TearDown() override {
    if (was_)
      ::setenv("SSL_CERT_FILE", was_->c_str(), 1);
    else
      ::unsetenv("SSL_CERT_FILE");
  }
  void trust(const SelfSigned& authority) const {
    ASSERT_TRUE(write_file(dir_ / "roots.pem", authority.certificate));
    ::setenv("SSL_CERT_FILE", (dir_ / "roots.pem").c_str(), 1);
  }

  const TempDir dir_;
  std::optional<std::string> was_;
};

constexpr const char* kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

TEST_F(FetchHttpsTest, AsksWhoHasACertificateThatIsTrusted) {
  const SelfSigned own = make_self_signed();
  trust(own);
  const auto said = TlsAnswer(own, kAnswer).ask();
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_EQ(*said, "{}");
}

TEST_F(FetchHttpsTest, RefusesOtherCertificates) {
  trust(make_self_signed());
  const auto stranger = TlsAnswer(make_self_signed(), kAnswer).ask();
  ASSERT_FALSE(stranger);
  EXPECT_NE(stranger.error().message.find("certificate verify failed"), std::string::npos)
      << stranger.error().message;

  const SelfSigned other_name = make_self_signed(365, "DNS:id.example");
  trust(other_name);
  for (const char* host : {"localhost", "127.0.0.1"})
    EXPECT_FALSE(TlsAnswer(other_name, kAnswer).ask(host)) << host;

  const SelfSigned ended = make_self_signed(-1);
  trust(ended);
  EXPECT_FALSE(TlsAnswer(ended, kAnswer).ask());
}

TEST_F(FetchHttpsTest, RefusesOldTls) {
  const SelfSigned own = make_self_signed();
  trust(own);
  EXPECT_FALSE(TlsAnswer(own, kAnswer, TLS1_1_VERSION).ask());
}

TEST_F(FetchHttpsTest, FollowsNobodyElsewhere) {
  const SelfSigned own = make_self_signed();
  trust(own);
  const auto moved =
      TlsAnswer(own, "HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n")
          .ask();
  ASSERT_FALSE(moved);
  EXPECT_NE(moved.error().message.find("302"), std::string::npos);
}

}  // namespace
}  // namespace xray::test
