#include "serve/http/client_origin.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

using boost::asio::ip::make_address;

bool contains(const char* networks, const char* address) {
  return Networks::parse(networks).value().contains(make_address(address));
}

TEST(Networks, HoldWhatTheyName) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("172.16.0.0/12", "172.31.0.1"));
  EXPECT_FALSE(contains("172.16.0.0/12", "172.32.0.1"));
  EXPECT_TRUE(contains("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(contains("192.0.2.7", "192.0.2.8"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("0.0.0.0/0", "192.0.2.7"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("loopback, 192.0.2.0/24", "::1"));
  EXPECT_TRUE(contains("loopback, 192.0.2.0/24", "192.0.2.200"));
  EXPECT_FALSE(contains("loopback", "10.0.0.1"));
  EXPECT_TRUE(contains("private", "10.0.0.1"));
  EXPECT_FALSE(contains("private", "8.8.8.8"));
  EXPECT_TRUE(Networks::parse("").value().empty());
  for (const char* wrong : {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "ten", "10.0.0.0/8,,::1", "::1/129"})
    EXPECT_FALSE(Networks::parse(wrong)) << wrong;
}

ClientOrigin origin(std::vector<Header> headers, const char* peer = "10.0.0.1", bool tls = false) {
  Request request;
  request.headers = std::move(headers);
  return client_origin(request, make_address(peer), tls, Networks::parse("10.0.0.0/8").value());
}

TEST(ClientOrigin, BelievesTrustedProxiesAlone) {
  const std::vector<Header> told = {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}};
  EXPECT_EQ(origin(told).address, "192.0.2.1");
  EXPECT_TRUE(origin(told).secure);
  EXPECT_EQ(origin(told, "203.0.113.5").address, "203.0.113.5");
  EXPECT_FALSE(origin(told, "203.0.113.5").secure);
  EXPECT_EQ(origin({}).address, "10.0.0.1");
  EXPECT_EQ(origin({}, "::ffff:203.0.113.5").address, "203.0.113.5");
  EXPECT_TRUE(origin({}, "203.0.113.5", true).secure);
}

TEST(ClientOrigin, ReadsListsFromTheRight) {
  EXPECT_EQ(origin({{"X-Forwarded-For", "1.1.1.1, 192.0.2.1"}}).address, "192.0.2.1");
  EXPECT_EQ(origin({{"X-Forwarded-For", "1.1.1.1, 192.0.2.1, 10.9.9.9"}}).address, "192.0.2.1");
  EXPECT_EQ(origin({{"X-Forwarded-For", "1.1.1.1"}, {"x-forwarded-for", "192.0.2.1"}}).address, "192.0.2.1");
  EXPECT_EQ(origin({{"X-Forwarded-For", "192.0.2.1:4711"}}).address, "192.0.2.1");
  EXPECT_EQ(origin({{"X-Forwarded-For", "[2001:db8::1]:4711"}}).address, "2001:db8::1");
  EXPECT_EQ(origin({{"X-Forwarded-For", "192.0.2.1, <script>"}}).address, "10.0.0.1");
  EXPECT_EQ(origin({{"X-Forwarded-For", ", ,"}}).address, "10.0.0.1");
  EXPECT_FALSE(origin({{"X-Forwarded-Proto", "https, http"}}).secure);
  EXPECT_TRUE(origin({{"X-Forwarded-Proto", "https, http"}}).plain);
  EXPECT_FALSE(origin({}).plain);
}

}  // namespace
}  // namespace xray
