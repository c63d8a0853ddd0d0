#include "auth/oidc.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "auth/secret.h"

namespace xray {
namespace {

using nlohmann::json;

std::string encoded(std::string_view text) {
  return encode_base64url(std::as_bytes(std::span(text)));
}

/// The value of a parameter in an address; none of ours needs unescaping.
std::string parameter(const std::string& address, const std::string& name) {
  const std::size_t at = address.find(name + "=") + name.size() + 1;
  return address.substr(at, address.find('&', at) - at);
}

/// A provider with one RSA key, which answers in the process.
class OidcTest : public testing::Test {
 protected:
  OidcTest()
      : key_(EVP_RSA_gen(2048), EVP_PKEY_free),
        oidc_(options(), [this](const Fetch& fetch) { return answer(fetch); }) {
    flow_ = oidc_.begin("http://localhost:1/api/v1/oidc/callback", "/#/x").value();
    claims_ = {{"iss", "https://id.example"},
               {"aud", "xray"},
               {"sub", "s-1"},
               {"nonce", parameter(flow_.address, "nonce")},
               {"iat", now()},
               {"exp", now() + 60},
               {"auth_time", now() - 3600},
               {"preferred_username", "Jane"},
               {"roles", {"radiologist"}}};
  }

  static OidcOptions options() {
    OidcOptions options;
    options.issuer = "https://id.example";
    options.client_id = "xray";
    options.client_secret = "s&t";
    options.max_age = 3600;
    options.roles = parse_role_map("radiologist=reviewer,it=admin").value();
    return options;
  }
  static std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  std::string number(const char* name) const {
    BIGNUM* value = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &value);
    Bytes bytes(static_cast<std::size_t>(BN_num_bytes(value)));
    BN_bn2bin(value, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(value);
    return encode_base64url(bytes);
  }

  std::string token() const {
    const std::string text = encoded(head_.dump()) + "." + encoded(claims_.dump());
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get());
    Bytes signature(256);
    std::size_t size = signature.size();
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return text + "." + encode_base64url(signature);
  }

  Result<std::string> answer(const Fetch& fetch) {
    asked_.push_back(fetch);
    if (fetch.url == "https://id.example/.well-known/openid-configuration")
      return json({{"issuer", "https://id.example"},
                   {"authorization_endpoint", "https://id.example/auth"},
                   {"token_endpoint", "https://id.example/token"},
                   {"jwks_uri", "https://id.example/keys"}})
          .dump();
    if (fetch.url == "https://id.example/keys")
      return json({{"keys",
                    {{{"kty", "RSA"},
                      {"kid", "k1"},
                      {"use", "sig"},
                      {"n", number(OSSL_PKEY_PARAM_RSA_N)},
                      {"e", number(OSSL_PKEY_PARAM_RSA_E)}}}}})
          .dump();
    return json({{"id_token", token_.empty() ? token() : token_}, {"token_type", "Bearer"}}).dump();
  }

  Result<Oidc::Person> finish() {
    return oidc_.finish(flow_.keep, "code=c1&state=" + parameter(flow_.address, "state"));
  }

  std::shared_ptr<EVP_PKEY> key_;
  json head_ = {{"alg", "RS256"}, {"kid", "k1"}};
  json claims_;
  std::string token_;
  std::vector<Fetch> asked_;
  Oidc oidc_;
  Oidc::Flow flow_;
};

TEST_F(OidcTest, SignsInWithACodeAndItsProof) {
  EXPECT_NE(flow_.address.find("code_challenge_method=S256"), std::string::npos);
  EXPECT_EQ(parameter(flow_.address, "max_age"), "3600");
  const auto person = finish();
  ASSERT_TRUE(person) << person.error().message;
  EXPECT_EQ(person->subject, "s-1");
  EXPECT_EQ(person->name, "Jane");
  EXPECT_EQ(person->role, Role::kReviewer);
  EXPECT_EQ(person->next, "/#/x");
  const auto exchange = std::ranges::find(asked_, "https://id.example/token", &Fetch::url);
  ASSERT_NE(exchange, asked_.end());
  EXPECT_EQ(encode_base64url(sha256(parameter(exchange->form, "code_verifier"))),
            parameter(flow_.address, "code_challenge"));
  EXPECT_EQ(parameter(exchange->form, "client_secret"), "s%26t");
}

TEST_F(OidcTest, RefusesAnswersToOtherQuestions) {
  EXPECT_FALSE(oidc_.finish(flow_.keep, "code=c1&state=" + make_secret()));
  EXPECT_FALSE(oidc_.finish(flow_.keep, "code=c1"));
  const std::string state = "state=" + parameter(flow_.address, "state");
  EXPECT_FALSE(oidc_.finish(flow_.keep, state + "&code=c1&" + state));
  EXPECT_FALSE(oidc_.finish(flow_.keep, state + "&error=access_denied"));
  EXPECT_FALSE(oidc_.finish(flow_.keep, state + "&code=c1&iss=https%3A%2F%2Fevil.example"));
  EXPECT_FALSE(oidc_.finish("", state + "&code=c1"));
}

TEST_F(OidcTest, RefusesTokensThatSayAnythingElse) {
  const json good = claims_;
  const std::vector<std::pair<const char*, json>> wrong = {{"iss", "https://evil.example"},
                                                           {"aud", "other"},
                                                           {"aud", {"xray", "other"}},
                                                           {"nonce", "n"},
                                                           {"exp", now() - 61},
                                                           {"exp", nullptr},
                                                           {"iat", now() + 120},
                                                           {"nbf", now() + 120},
                                                           {"auth_time", nullptr},
                                                           {"auth_time", now() - 3600 - 70},
                                                           {"auth_time", now() + 120},
                                                           {"auth_time", "yesterday"},
                                                           {"sub", ""},
                                                           {"azp", "other"},
                                                           {"aud", json::array()},
                                                           {"exp", "tomorrow"}};
  for (const auto& [claim, value] : wrong) {
    claims_ = good;
    claims_[claim] = value;
    EXPECT_FALSE(finish()) << claim << " " << value;
  }
  claims_ = good;
  EXPECT_TRUE(finish());
}

TEST_F(OidcTest, RefusesTokensThatTheProviderDidNotSign) {
  for (const json& head :
       {json{{"alg", "none"}}, json{{"alg", "HS256"}, {"kid", "k1"}}, json{{"alg", "ES256"}},
        json{{"alg", "RS256"}, {"kid", "k2"}}, json{{"alg", "RS256"}, {"crit", {"x"}}}}) {
    head_ = head;
    EXPECT_FALSE(finish()) << head;
  }
  head_ = {{"alg", "RS256"}, {"kid", "k1"}};
  std::string changed = token();
  claims_["roles"] = {"it"};
  token_ = token().substr(0, token().rfind('.')) + changed.substr(changed.rfind('.'));
  EXPECT_FALSE(finish());
  token_ = changed.substr(0, changed.rfind('.') + 1);
  EXPECT_FALSE(finish());
}

TEST_F(OidcTest, LetsNobodyInWithoutARole) {
  claims_["roles"] = {"visitor"};
  ASSERT_FALSE(finish());
  EXPECT_EQ(finish().error().code, ErrorCode::kForbidden);
  claims_["roles"] = {"radiologist", "it"};
  EXPECT_EQ(finish().value().role, Role::kAdmin);
}

TEST_F(OidcTest, TakesWhoSignedInLongAgoWhereThatDoesNotMatter) {
  OidcOptions any_time = options();
  any_time.max_age.reset();
  Oidc oidc(any_time, [this](const Fetch& fetch) { return answer(fetch); });
  const Oidc::Flow flow = oidc.begin("http://localhost:1/api/v1/oidc/callback", "/").value();
  EXPECT_EQ(flow.address.find("max_age"), std::string::npos);
  claims_["nonce"] = parameter(flow.address, "nonce");
  claims_.erase("auth_time");
  EXPECT_TRUE(oidc.finish(flow.keep, "code=c1&state=" + parameter(flow.address, "state")));
}

TEST(Discovery, IsTheIssuersOwnAlone) {
  json document = {{"issuer", "https://id.example"},
                   {"authorization_endpoint", "https://id.example/auth"},
                   {"token_endpoint", "https://id.example/token"},
                   {"jwks_uri", "https://id.example/keys"}};
  EXPECT_EQ(read_discovery(document.dump(), "https://id.example").value().jwks_uri,
            "https://id.example/keys");
  for (const char* other : {"https://evil.example", "https://id.example/", "https://id.example.evil", ""}) {
    const auto refused = read_discovery(document.dump(), other);
    ASSERT_FALSE(refused) << other;
    EXPECT_NE(refused.error().message.find("another issuer's"), std::string::npos);
  }
  for (const char* field : {"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"}) {
    json lacking = document;
    lacking.erase(field);
    EXPECT_FALSE(read_discovery(lacking.dump(), "https://id.example")) << field;
    lacking[field] = 1;
    EXPECT_FALSE(read_discovery(lacking.dump(), "https://id.example")) << field;
  }
  document["token_endpoint"] = "ftp://id.example/token";
  EXPECT_FALSE(read_discovery(document.dump(), "https://id.example"));
  EXPECT_FALSE(read_discovery("[]", "https://id.example"));
  EXPECT_FALSE(read_discovery("", "https://id.example"));
}

TEST(FetchHttps, AsksNobodyInTheClear) {
  const auto answer = fetch_https({.url = "http://id.example/", .form = {}, .authorization = {}});
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("https alone"), std::string::npos);
  EXPECT_FALSE(fetch_https({.url = "ftp://id.example/", .form = {}, .authorization = {}}));
}

}  // namespace
}  // namespace xray
