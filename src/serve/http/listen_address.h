#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace xray {

/// Where a server listens.
struct ListenAddress {
  std::string host = "127.0.0.1";  ///< a name or an address; IPv6 without its brackets
  std::uint16_t port = 8080;       ///< 0: any free one
};

/// "HOST:PORT", "[IPV6]:PORT". kInvalidArgument.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// The same, or a host alone, which gets `port`.
Result<ListenAddress> parse_listen_address(std::string_view text, std::uint16_t port);

/// "8080". kInvalidArgument.
Result<std::uint16_t> parse_port(std::string_view text);

}  // namespace xray
