#pragma once

#include <string>

namespace xray::test {

/// A certificate that its own key has signed, for localhost, and the key; both as PEM.
struct SelfSigned {
  std::string certificate;
  std::string key;
};

/// A new one, with a P-256 key, for `days` from now on.
SelfSigned make_self_signed(int days = 365);

}  // namespace xray::test
