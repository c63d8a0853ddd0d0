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

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "8080", ":8080", "localhost", "localhost:", "localhost:65536",
                           "localhost:-1", "localhost:8080x", "::1:8080", "[]:8080", "[::1]", "[::1:8080"})
    EXPECT_FALSE(parse_listen_address(text)) << text;
}

}  // namespace
}  // namespace xray
