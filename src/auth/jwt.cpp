#include "auth/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <optional>

#include "auth/secret.h"
#include "common/file.h"

namespace xray {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxToken = 32U << 10U;
constexpr std::size_t kMaxKeys = 64;
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;
constexpr std::size_t kCoordinate = 32;  ///< bytes of P-256's
constexpr std::int64_t kLeeway = 60;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;

const unsigned char* data(const Bytes& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::optional<std::string> text_of(const json& object, const char* field) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<Bytes> bytes_of(const json& object, const char* field) {
  const auto text = text_of(object, field);
  return text ? decode_base64url(*text) : std::nullopt;
}

std::shared_ptr<EVP_PKEY> make_key(const char* type, OSSL_PARAM* parameters) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || parameters == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return {key, EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> rsa_key(const json& key) {
  const auto n = bytes_of(key, "n");
  const auto e = bytes_of(key, "e");
  if (!n || !e || n->size() > kMaxRsaBits / 8 + 1 || e->size() > 8) return nullptr;
  const Number modulus(BN_bin2bn(data(*n), static_cast<int>(n->size()), nullptr));
  const Number exponent(BN_bin2bn(data(*e), static_cast<int>(e->size()), nullptr));
  const int bits = BN_num_bits(modulus.get());
  if (bits < kMinRsaBits || bits > kMaxRsaBits || !BN_is_odd(exponent.get()) ||
      BN_num_bits(exponent.get()) < 2)
    return nullptr;
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  return make_key("RSA", parameters.get());
}

std::shared_ptr<EVP_PKEY> ec_key(const json& key) {
  if (text_of(key, "crv") != "P-256") return nullptr;
  const auto x = bytes_of(key, "x");
  const auto y = bytes_of(key, "y");
  if (!x || !y || x->size() != kCoordinate || y->size() != kCoordinate) return nullptr;
  Bytes point = {std::byte{4}};
  point.insert(point.end(), x->begin(), x->end());
  point.insert(point.end(), y->begin(), y->end());
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  return make_key("EC", parameters.get());
}

/// The two numbers of a signature with P-256 (RFC 7518, 3.4), as OpenSSL wants them.
std::optional<Bytes> to_der(const Bytes& signature) {
  if (signature.size() != 2 * kCoordinate) return std::nullopt;
  const std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>> pair(ECDSA_SIG_new());
  BIGNUM* const r = BN_bin2bn(data(signature), kCoordinate, nullptr);
  BIGNUM* const s = BN_bin2bn(data(signature) + kCoordinate, kCoordinate, nullptr);
  ECDSA_SIG_set0(pair.get(), r, s);
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (size <= 0) return std::nullopt;
  Bytes der(static_cast<std::size_t>(size));
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(pair.get(), &out);
  return der;
}

bool is_signed(std::string_view text, const Bytes& signature, EVP_PKEY* key) {
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const bool holds = EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
                     EVP_DigestVerify(context.get(), data(signature), signature.size(),
                                      reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  ERR_clear_error();
  return holds;
}

Error refused(const std::string& why) {
  return {ErrorCode::kUnauthenticated, "the ID token " + why};
}

std::optional<json> read_part(std::string_view part) {
  const auto bytes = decode_base64url(part);
  if (!bytes) return std::nullopt;
  json parsed = json::parse(reinterpret_cast<const char*>(bytes->data()),
                            reinterpret_cast<const char*>(bytes->data()) + bytes->size(), nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  return parsed;
}

std::optional<std::int64_t> time_of(const Claims& claims, const char* field) {
  const auto found = claims.find(field);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds < 1e12)) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

bool is_for(const Claims& claims, const std::string& audience) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_string()) return *found == audience;
  if (!found->is_array() || std::ranges::find(*found, json(audience)) == found->end()) return false;
  // Of several, it has to say for whom it was made.
  return found->size() == 1 || text_of(claims, "azp") == audience;
}

Result<Claims> check(Claims claims, const ExpectedToken& expected) {
  if (text_of(claims, "iss") != expected.issuer) return refused("is another issuer's");
  if (!is_for(claims, expected.audience)) return refused("is for another client");
  if (const auto party = text_of(claims, "azp"); party && *party != expected.audience)
    return refused("is for another client");
  if (text_of(claims, "nonce") != expected.nonce) return refused("answers another question");
  const auto end = time_of(claims, "exp");
  if (!end || *end + kLeeway <= expected.now) return refused("has ended");
  const auto issued = time_of(claims, "iat");
  if (!issued || *issued > expected.now + kLeeway) return refused("comes from the future");
  if (const auto begin = time_of(claims, "nbf"); begin && *begin > expected.now + kLeeway)
    return refused("comes from the future");
  if (expected.max_age) {
    const auto signed_in = time_of(claims, "auth_time");
    if (!signed_in)
      return refused("does not say when the person signed in (auth_time; --oidc-max-age 0 does without)");
    if (*signed_in > expected.now + kLeeway) return refused("comes from the future");
    if (*signed_in + *expected.max_age + kLeeway < expected.now)
      return refused("is of somebody who signed in too long ago");
  }
  const auto subject = text_of(claims, "sub");
  if (!subject || subject->empty() || subject->size() > 255) return refused("names nobody");
  return claims;
}

}  // namespace

Result<Jwks> Jwks::parse(std::string_view text) {
  const json set = json::parse(text, nullptr, false);
  const auto list = set.is_object() ? set.find("keys") : set.end();
  if (!set.is_object() || list == set.end() || !list->is_array())
    return Error{ErrorCode::kInvalidArgument, "this is no set of keys"};
  Jwks keys;
  for (const json& entry : *list) {
    if (!entry.is_object() || keys.keys_.size() >= kMaxKeys) continue;
    if (text_of(entry, "use").value_or("sig") != "sig") continue;
    const auto type = text_of(entry, "kty");
    const auto algorithm = text_of(entry, "alg");
    const bool rsa = type == "RSA" && algorithm.value_or("RS256") == "RS256";
    const bool ec = type == "EC" && algorithm.value_or("ES256") == "ES256";
    if (!rsa && !ec) continue;
    if (auto key = rsa ? rsa_key(entry) : ec_key(entry))
      keys.keys_.push_back({text_of(entry, "kid").value_or(""), rsa, std::move(key)});
  }
  if (keys.keys_.empty()) return Error{ErrorCode::kInvalidArgument, "the set has no key for RS256 or ES256"};
  return keys;
}

Result<Claims> read_id_token(std::string_view token, const Jwks& keys, const ExpectedToken& expected) {
  if (token.size() > kMaxToken) return refused("is too large");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return refused("has not three parts");
  const auto head = read_part(token.substr(0, first));
  const auto signature = decode_base64url(token.substr(second + 1));
  if (!head || !signature) return refused("is malformed");
  // What has to be understood is not (RFC 7515, 4.1.11).
  if (head->contains("crit")) return refused("is of a kind that is not known");
  const auto algorithm = text_of(*head, "alg");
  const bool rsa = algorithm == "RS256";
  if (!rsa && algorithm != "ES256") return refused("is signed neither with RS256 nor with ES256");
  const std::optional<Bytes> der = rsa ? signature : to_der(*signature);
  if (!der) return refused("is malformed");

  const auto id = text_of(*head, "kid");
  bool fits = false;
  bool holds = false;
  for (const Jwks::Key& key : keys.keys()) {
    if (key.rsa != rsa || (id && key.id != *id)) continue;
    fits = true;
    holds = holds || is_signed(token.substr(0, second), *der, key.key.get());
  }
  if (!fits)
    return Error{ErrorCode::kNotFound, "the ID token is signed with a key that the provider does not show"};
  if (!holds) return refused("is not signed by the provider");
  auto claims = read_part(token.substr(first + 1, second - first - 1));
  if (!claims) return refused("is malformed");
  return check(std::move(*claims), expected);
}

}  // namespace xray
