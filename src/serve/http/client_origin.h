#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "serve/http/http_message.h"

namespace xray {

/// Sets of addresses.
class Networks {
 public:
  /// "10.0.0.0/8,fd00::/8", an address alone, "loopback", "private" (all that are routed in no public
  /// network, loopback among them). kInvalidArgument.
  static Result<Networks> parse(std::string_view list);

  bool contains(const boost::asio::ip::address& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::array<unsigned char, 16> bytes;  ///< IPv4 as ::ffff:a.b.c.d
    int bits;
  };
  std::vector<Network> networks_;
};

/// What is known of the client at `peer`'s end: what a peer in `trusted` says in X-Forwarded-For and
/// X-Forwarded-Proto counts, read from the right, since whatever stands left of what a trusted proxy wrote is
/// the client's own invention. What any other peer says there is passed over.
ClientOrigin client_origin(const Request& request, const boost::asio::ip::address& peer, bool tls,
                           const Networks& trusted);

}  // namespace xray
