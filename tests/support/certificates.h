#pragma once

#include <string>

namespace xray::test {

/// A certificate that its own key has signed, and the key; both as PEM.
struct SelfSigned {
  std::string certificate;
  std::string key;
};

/// A new one, with a P-256 key, for `days` from now on; negative: it ended so many days ago, one at most.
SelfSigned make_self_signed(int days = 365, const std::string& names = "DNS:localhost,IP:127.0.0.1");

}  // namespace xray::test
