#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

struct evp_pkey_st;

namespace xray {

/// The public keys of an identity provider (RFC 7517): RSA of 2048 to 8192 bits, and P-256.
class Jwks {
 public:
  /// Keys of other kinds and uses are passed over. kInvalidArgument where it is no set, or none is left.
  static Result<Jwks> parse(std::string_view text);

  struct Key {
    std::string id;  ///< may be empty
    bool rsa = false;
    std::shared_ptr<evp_pkey_st> key;
  };
  const std::vector<Key>& keys() const { return keys_; }

 private:
  std::vector<Key> keys_;
};

/// What a token says, once its signature holds.
using Claims = nlohmann::json;

/// What an ID token has to say.
struct ExpectedToken {
  std::string issuer;
  std::string audience;
  std::string nonce;
  std::optional<std::int64_t> max_age{};  ///< seconds since the person signed in; none: does not matter
  std::int64_t now = 0;                   ///< seconds since 1970; clocks may differ by a minute
};

/// The claims of a token that is signed (RS256 or ES256, with a key of `keys`) and says what is expected
/// (OpenID Connect Core 1.0, 3.1.3.7). kNotFound where it names a key that is not there; kUnauthenticated.
Result<Claims> read_id_token(std::string_view token, const Jwks& keys, const ExpectedToken& expected);

}  // namespace xray
