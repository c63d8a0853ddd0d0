#include "serve/http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <ctime>
#include <string_view>
#include <utility>

#include "common/file.h"

namespace xray {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr std::uint64_t kMaxPem = 1U << 20U;
/// Each keeps its forward secrecy and authenticates what it encrypts; those of TLS 1.3 all do.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr int kWarnDays = 14;

/// A key with a passphrase is refused, rather than asking for it on whatever terminal there is.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

/// Picks HTTP/1.1 where a client names protocols; one that names only others is served all the same.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr std::array<unsigned char, 9> kHttp = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kHttp.data(), kHttp.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

Error unfit(std::string what) {
  ERR_clear_error();
  return {ErrorCode::kInvalidArgument, std::move(what)};
}

Result<std::shared_ptr<ssl::context>> make_context(const TlsCertificates::Pem& pem,
                                                   const std::string& certificate, const std::string& key) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_default_passwd_cb(native, no_passphrase);
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(native, kCiphers);
  SSL_CTX_set1_groups_list(native, kGroups);
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  error_code error;
  context->use_certificate_chain(boost::asio::buffer(pem.chain), error);
  if (error) return unfit(certificate + " holds no certificate in PEM: " + error.message());
  context->use_private_key(boost::asio::buffer(pem.key), ssl::context::pem, error);
  if (error) {
    const bool other =
        ERR_GET_REASON(static_cast<unsigned long>(error.value())) == X509_R_KEY_VALUES_MISMATCH;
    return unfit(other ? key + " is not the key of the certificate in " + certificate
                       : key + " holds no private key in PEM without a passphrase: " + error.message());
  }
  if (SSL_CTX_check_private_key(native) != 1)
    return unfit(key + " is not the key of the certificate in " + certificate);
  return context;
}

/// Says so where the certificate ends soon, or has ended: clients will refuse it.
void warn_of_its_end(ssl::context& context, const std::string& certificate) {
  const ASN1_TIME* const end = X509_get0_notAfter(SSL_CTX_get0_certificate(context.native_handle()));
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, end) != 1) return;
  if (days < 0 || seconds < 0)
    spdlog::error("the certificate in {} has ended", certificate);
  else if (days < kWarnDays)
    spdlog::warn("the certificate in {} ends in {} days", certificate, days);
}

}  // namespace

Result<TlsCertificates::Pem> TlsCertificates::read() const {
  Pem pem;
  for (const auto& [path, text] : {std::pair(&certificate_, &pem.chain), std::pair(&key_, &pem.key)}) {
    Result<std::string> read = read_text(*path, kMaxPem);
    if (!read) return Error{ErrorCode::kInvalidArgument, *path + ": " + read.error().message};
    *text = std::move(*read);
  }
  return pem;
}

Result<std::unique_ptr<TlsCertificates>> TlsCertificates::load(std::string certificate, std::string key) {
  std::unique_ptr<TlsCertificates> loaded(new TlsCertificates(std::move(certificate), std::move(key)));
  Result<Pem> pem = loaded->read();
  if (!pem) return pem.error();
  auto context = make_context(*pem, loaded->certificate_, loaded->key_);
  if (!context) return context.error();
  warn_of_its_end(**context, loaded->certificate_);
  loaded->pem_ = std::move(*pem);
  loaded->current_ = std::move(*context);
  return loaded;
}

std::shared_ptr<ssl::context> TlsCertificates::current() const {
  const std::scoped_lock lock(mutex_);
  return current_;
}

TlsCertificates::Pem TlsCertificates::pem() const {
  const std::scoped_lock lock(mutex_);
  return pem_;
}

void TlsCertificates::look() {
  const auto complain = [this](const Error& error) {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(last_complaint_, error.message) != error.message)
      spdlog::error("the certificate that served goes on: {}", error.message);
  };
  Result<Pem> pem = read();
  if (!pem) return complain(pem.error());
  {
    const std::scoped_lock lock(mutex_);
    if (pem->chain == pem_.chain && pem->key == pem_.key) {
      last_complaint_.clear();
      return;
    }
  }
  auto context = make_context(*pem, certificate_, key_);
  if (!context) return complain(context.error());
  warn_of_its_end(**context, certificate_);
  const std::scoped_lock lock(mutex_);
  pem_ = std::move(*pem);
  current_ = std::move(*context);
  last_complaint_.clear();
  spdlog::info("new connections get the new certificate in {}", certificate_);
}

}  // namespace xray
