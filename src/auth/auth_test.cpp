#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "auth/attempts.h"
#include "auth/caller.h"
#include "auth/password.h"
#include "auth/secret.h"

namespace xray {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Cheap, for tests.
constexpr PasswordCost kCheap{.memory_kib = 64, .passes = 1};

TEST(Secret, IsLongRandomAndKeptAsItsHash) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(make_secret());
  EXPECT_EQ(seen.size(), 100U);
  for (const std::string& secret : seen) {
    EXPECT_EQ(secret.size(), 43U);
    EXPECT_EQ(decode_base64url(secret).value().size(), 32U);
  }
  EXPECT_EQ(hash_secret("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "ab"));
}

TEST(Base64Url, GoesBothWaysAndTakesNothingElse) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xFF\xFE\xFD"}) {
    const std::string encoded = encode_base64url(std::as_bytes(std::span(text)));
    const Bytes decoded = decode_base64url(encoded).value();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(decoded.data()), decoded.size()), text);
  }
  const std::string foob = "foob";
  EXPECT_EQ(encode_base64url(std::as_bytes(std::span(foob))), "Zm9vYg");
  for (const char* wrong : {"Zm9vYg==", "Zm9vY", "Zm9v Yg", "Zm9vYh", "A", "+/"})
    EXPECT_FALSE(decode_base64url(wrong)) << wrong;
}

TEST(Password, IsVerifiedByItsHashAlone) {
  const std::string hash = hash_password("correct horse battery", kCheap);
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$")) << hash;
  EXPECT_NE(hash, hash_password("correct horse battery", kCheap)) << "each has a salt of its own";
  EXPECT_TRUE(is_password("correct horse battery", hash));
  EXPECT_FALSE(is_password("correct horse batterz", hash));
  EXPECT_FALSE(is_password("", hash));
  EXPECT_FALSE(is_password("nobody has this password", std::nullopt));
  EXPECT_FALSE(is_password("x", "no hash"));
  EXPECT_TRUE(is_outdated(hash));
  EXPECT_FALSE(is_outdated(hash, kCheap));
}

TEST(Password, MustNotBeOneThatIsTriedFirst) {
  const auto refused = [](std::string_view password) {
    return !check_new_password(password, "jane.doe").ok();
  };
  for (const char* bad : {"short", "elevenchars", "password1234", "P@ssw0rd2026!", "aaaaaaaaaaaa",
                          "abcabcabcabc", "123456789012", "987654321098", "abcdefghijkl", "jane.doe12345",
                          "Jane.Doe-hospital1", "RadiologyXray2026", "qwertyqwerty", "Welcome2Hospital",
                          "changeme-changeme", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"})
    EXPECT_TRUE(refused(bad)) << bad;
  EXPECT_TRUE(refused(std::string(257, 'x')));
  for (const char* good : {"correct horse battery", "blau kahn ofen zeh", "Xk4#pQ9!vR2m",
                           "пароль из трёх слов", "my hospital has a red door"})
    EXPECT_FALSE(refused(good)) << good;
}

TEST(Attempts, WaitLongerEachTimeButNeverForGood) {
  Attempts attempts({.free = 3, .first = seconds(1), .longest = seconds(60), .keys = 100});
  auto now = Attempts::Clock::now();
  for (int i = 0; i < 3; ++i) attempts.failed("jane", now);
  EXPECT_EQ(attempts.delay("jane", now), milliseconds(0));
  long expected = 1;
  for (int i = 0; i < 12; ++i) {
    attempts.failed("jane", now);
    EXPECT_EQ(attempts.delay("jane", now), seconds(std::min(expected, 60L)));
    EXPECT_EQ(attempts.delay("joe", now), milliseconds(0));
    now += attempts.delay("jane", now);
    EXPECT_EQ(attempts.delay("jane", now), milliseconds(0));
    expected *= 2;
  }
  attempts.succeeded("jane");
  attempts.failed("jane", now);
  EXPECT_EQ(attempts.delay("jane", now), milliseconds(0));
}

TEST(Attempts, KeepsNoMoreKeysThanItMay) {
  Attempts attempts({.free = 0, .first = seconds(10), .longest = seconds(10), .keys = 3});
  const auto now = Attempts::Clock::now();
  for (int i = 0; i < 5; ++i) attempts.failed(std::to_string(i), now + milliseconds(i));
  EXPECT_EQ(attempts.delay("0", now), milliseconds(0));
  EXPECT_GT(attempts.delay("4", now), milliseconds(0));
}

TEST(RateLimit, GivesSoManyAMinute) {
  RateLimit limit(60);
  auto now = RateLimit::Clock::now();
  for (int i = 0; i < 60; ++i) EXPECT_EQ(limit.take("jane", now), milliseconds(0));
  EXPECT_EQ(limit.take("jane", now), milliseconds(1000));
  EXPECT_EQ(limit.take("joe", now), milliseconds(0));
  now += milliseconds(1500);
  EXPECT_EQ(limit.take("jane", now), milliseconds(0));
  EXPECT_EQ(limit.take("jane", now), milliseconds(500));
  RateLimit none(0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(none.take("jane", now), milliseconds(0));
}

TEST(ClientKey, IsTheNetworkOfACustomer) {
  EXPECT_EQ(client_key("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(client_key("2001:db8:1:2:3:4:5:6"), client_key("2001:db8:1:2::1"));
  EXPECT_NE(client_key("2001:db8:1:2::1"), client_key("2001:db8:1:3::1"));
}

TEST(Scopes, AreReadAndWritten) {
  EXPECT_EQ(Scopes::parse("diagnose,read").value().text(), "read,diagnose");
  EXPECT_EQ(Scopes::all().text(), "read,diagnose,metrics,admin");
  for (const char* wrong : {"", "read,", ",read", "write", "read diagnose"})
    EXPECT_FALSE(Scopes::parse(wrong)) << wrong;
}

TEST(Caller, MayWhatRoleAndScopesAllow) {
  const auto allowed = [](Caller::Kind kind, Role role, const char* scopes) {
    Caller caller{.kind = kind, .role = role, .scopes = Scopes::parse(scopes).value()};
    std::string text;
    for (const auto permission : {Permission::kOpen, Permission::kSelf, Permission::kRead,
                                  Permission::kDiagnose, Permission::kMetrics, Permission::kAdmin})
      text += may(caller, permission) ? '+' : '-';
    return text;
  };
  using Kind = Caller::Kind;
  EXPECT_EQ(allowed(Kind::kNobody, Role::kAdmin, "admin"), "+-----");
  EXPECT_EQ(allowed(Kind::kUnasked, Role::kReader, "read"), "++++++");
  EXPECT_EQ(allowed(Kind::kSession, Role::kReader, "admin"), "+++-+-");
  EXPECT_EQ(allowed(Kind::kSession, Role::kReviewer, "admin"), "+++++-");
  EXPECT_EQ(allowed(Kind::kSession, Role::kAdmin, "read"), "++++++");
  EXPECT_EQ(allowed(Kind::kToken, Role::kAdmin, "read"), "+-+---");
  EXPECT_EQ(allowed(Kind::kToken, Role::kReader, "read,diagnose,admin"), "+-+---");
  EXPECT_EQ(allowed(Kind::kToken, Role::kReviewer, "diagnose"), "+--+--");
  EXPECT_EQ(allowed(Kind::kToken, Role::kAdmin, "admin,metrics"), "+---++");
}

}  // namespace
}  // namespace xray
