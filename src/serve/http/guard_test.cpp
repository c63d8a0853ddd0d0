#include "serve/http/guard.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

/// The status of the refusal; 0 where the request may pass.
int refusal(const std::string& method, std::vector<Header> headers, bool loopback_only = true) {
  Request request;
  request.method = method;
  request.headers = std::move(headers);
  const auto refused = guard(request, loopback_only);
  return refused ? refused->status : 0;
}

TEST(Guard, AnswersToLoopbackNamesAlone) {
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]", "[::1]:8080"})
    EXPECT_EQ(refusal("GET", {{"Host", host}}), 0) << host;
  for (const char* host : {"evil.example", "evil.example:8080", "localhost.evil.example",
                           "127.0.0.1.evil.example", "[::2]:8080", "", ":8080"})
    EXPECT_EQ(refusal("GET", {{"Host", host}}), 421) << host;
}

TEST(Guard, LeavesNamesAloneWhereOthersMayReachTheServer) {
  EXPECT_EQ(refusal("GET", {{"Host", "xray.hospital.example"}}, false), 0);
}

TEST(Guard, WantsExactlyOneHost) {
  EXPECT_EQ(refusal("GET", {}), 400);
  EXPECT_EQ(refusal("GET", {{"Host", "localhost"}, {"host", "localhost"}}), 400);
}

TEST(Guard, KeepsOtherSitesPagesFromChangingAnything) {
  const Header host = {"Host", "localhost:8080"};
  for (const char* method : {"POST", "DELETE", "PUT"}) {
    EXPECT_EQ(refusal(method, {host, {"Origin", "https://evil.example"}}), 403);
    EXPECT_EQ(refusal(method, {host, {"Origin", "http://localhost:3000"}}), 403);
    EXPECT_EQ(refusal(method, {host, {"Origin", "null"}}), 403);
    EXPECT_EQ(refusal(method, {host, {"Sec-Fetch-Site", "cross-site"}}), 403);
    EXPECT_EQ(refusal(method, {host, {"Origin", "http://localhost:8080"}, {"Sec-Fetch-Site", "same-origin"}}),
              0);
    EXPECT_EQ(refusal(method, {host}), 0) << "programs send no Origin";
  }
  EXPECT_EQ(refusal("GET", {host, {"Origin", "https://evil.example"}}), 0);
}

}  // namespace
}  // namespace xray
