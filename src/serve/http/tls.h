#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "common/result.h"

namespace boost::asio::ssl {
class context;
}

namespace xray {

/// A server's certificate and key, from two PEM files that may change while it runs. Thread-safe.
class TlsCertificates {
 public:
  /// `certificate` holds the chain too, the server's own first. kInvalidArgument, with the file's name, where
  /// a file is missing, holds no certificate or key, needs a passphrase, or the two do not belong together.
  static Result<std::unique_ptr<TlsCertificates>> load(std::string certificate, std::string key);

  /// For new connections: TLS 1.2 or 1.3, with ciphers that keep what was said secret when the key
  /// gets lost later. Those that run keep theirs.
  std::shared_ptr<boost::asio::ssl::context> current() const;

  /// Looks whether the files have changed, and takes them where they are fit; what is not is logged, once,
  /// and what served goes on. Reads files.
  void look();

  /// The pair that is served, as PEM: chain and key.
  struct Pem {
    std::string chain;
    std::string key;
  };
  Pem pem() const;

 private:
  TlsCertificates(std::string certificate, std::string key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Result<Pem> read() const;

  const std::string certificate_;
  const std::string key_;
  mutable std::mutex mutex_;
  Pem pem_;
  std::string last_complaint_;
  std::shared_ptr<boost::asio::ssl::context> current_;
};

}  // namespace xray
