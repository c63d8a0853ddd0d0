#include "serve/http/listen_address.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(ListenAddress, TakesNamesAndBothKindsOfAddresses) {
  EXPECT_EQ(parse_listen_address("localhost:80").value().host, "localhost");
  EXPECT_EQ(parse_listen_address("0.0.0.0:65535").value().port, 65535);
  EXPECT_EQ(parse_listen_address("[::1]:8080").value().host, "::1");
  EXPECT_EQ(parse_listen_address("[::1]:0").value().port, 0);
}

TEST(ListenAddress, GivesAHostAloneThePort) {
  EXPECT_EQ(parse_listen_address("0.0.0.0", 5000).value().port, 5000);
  EXPECT_EQ(parse_listen_address("0.0.0.0", 5000).value().host, "0.0.0.0");
  EXPECT_EQ(parse_listen_address("[::]", 5000).value().host, "::");
  EXPECT_EQ(parse_listen_address("localhost:80", 5000).value().port, 80);
  for (const char* text : {"", "[]", "::", "localhost:", ":80", "[::", "8080"})
    EXPECT_FALSE(parse_listen_address(text, 5000)) << text;
}

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "8080", ":8080", "localhost", "localhost:", "localhost:65536",
                           "localhost:-1", "localhost:8080x", "::1:8080", "[]:8080", "[::1]", "[::1:8080"})
    EXPECT_FALSE(parse_listen_address(text)) << text;
}

}  // namespace
}  // namespace xray
