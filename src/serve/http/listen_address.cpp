#include "serve/http/listen_address.h"

#include <charconv>

namespace xray {

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const std::string digits(text);
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  if (error != std::errc() || stop != end)
    return Error{ErrorCode::kInvalidArgument, "a port is a number from 0 to 65535"};
  return port;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const Error malformed{ErrorCode::kInvalidArgument, "an address is HOST:PORT or [IPV6]:PORT"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed;
  const Result<std::uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return port.error();
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.find_first_of("[]:") != std::string_view::npos)
    return malformed;
  if (host.empty()) return malformed;
  return ListenAddress{std::string(host), *port};
}

Result<ListenAddress> parse_listen_address(std::string_view text, std::uint16_t port) {
  const bool bracketed = text.starts_with('[');
  // "8080" is no host: it was meant as a port.
  const bool alone = bracketed ? text.ends_with(']')
                               : text.find(':') == std::string_view::npos &&
                                     text.find_first_not_of("0123456789") != std::string_view::npos;
  return parse_listen_address(alone ? std::string(text) + ":" + std::to_string(port) : std::string(text));
}

}  // namespace xray
