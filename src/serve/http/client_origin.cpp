#include "serve/http/client_origin.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace xray {
namespace {

using boost::asio::ip::address;

constexpr std::array<std::string_view, 2> kLoopback = {"127.0.0.0/8", "::1/128"};
constexpr std::array<std::string_view, 9> kPrivate = {"127.0.0.0/8",    "::1/128",        "10.0.0.0/8",
                                                      "172.16.0.0/12",  "192.168.0.0/16", "100.64.0.0/10",
                                                      "169.254.0.0/16", "fc00::/7",       "fe80::/10"};

std::array<unsigned char, 16> to_bytes(const address& from) {
  if (from.is_v6()) return from.to_v6().to_bytes();
  return boost::asio::ip::make_address_v6(boost::asio::ip::v4_mapped, from.to_v4()).to_bytes();
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

std::optional<address> parse_address(std::string_view text) {
  boost::system::error_code error;
  const address parsed = boost::asio::ip::make_address(std::string(text), error);
  if (error || (parsed.is_v6() && parsed.to_v6().scope_id() != 0)) return std::nullopt;
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, parsed.to_v6());
  return parsed;
}

/// An element of X-Forwarded-For: some proxies add the port.
std::optional<address> parse_forwarded(std::string_view text) {
  if (text.size() > 64) return std::nullopt;
  if (text.starts_with('[')) return parse_address(text.substr(1, text.find(']') - 1));
  if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
  return parse_address(text);
}

/// The last element of a list; what is left of it stays in `list`.
std::string_view take_last(std::string_view& list) {
  const std::size_t comma = list.rfind(',');
  const bool more = comma != std::string_view::npos;
  const std::string_view last = trimmed(more ? list.substr(comma + 1) : list);
  list = more ? list.substr(0, comma) : std::string_view();
  return last;
}

/// All fields of that name as one list (RFC 9110, section 5.3).
std::string joined(const Request& request, std::string_view name) {
  std::string list;
  for (const Header& header : request.headers)
    if (same_name(header.name, name)) list += (list.empty() ? "" : ",") + header.value;
  return list;
}

}  // namespace

Result<Networks> Networks::parse(std::string_view list) {
  Networks networks;
  const auto add = [&networks](std::string_view text) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    const auto parsed = parse_address(text.substr(0, slash));
    if (!parsed) return false;
    const int most = parsed->is_v4() ? 32 : 128;
    int bits = most;
    if (slash < text.size()) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc() || stop != end || bits < 0 || bits > most) return false;
    }
    networks.networks_.push_back({to_bytes(*parsed), bits + 128 - most});
    return true;
  };
  while (!list.empty()) {
    const std::string_view text = trimmed(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(list.find(','), list.size() - 1) + 1);
    if (text == "loopback") {
      std::ranges::for_each(kLoopback, add);
    } else if (text == "private") {
      std::ranges::for_each(kPrivate, add);
    } else if (!add(text)) {
      return Error{ErrorCode::kInvalidArgument,
                   "networks are loopback, private, or ADDRESS[/BITS], with commas between them"};
    }
  }
  return networks;
}

bool Networks::contains(const address& wanted) const {
  const auto bytes = to_bytes(wanted);
  return std::ranges::any_of(networks_, [&bytes](const Network& network) {
    const auto whole = static_cast<std::size_t>(network.bits / 8);
    if (!std::equal(bytes.begin(), bytes.begin() + whole, network.bytes.begin())) return false;
    const int rest = network.bits % 8;
    return rest == 0 || ((bytes.at(whole) ^ network.bytes.at(whole)) >> (8 - rest)) == 0;
  });
}

ClientOrigin client_origin(const Request& request, const address& peer, bool tls, const Networks& trusted) {
  address client = parse_address(peer.to_string()).value_or(peer);
  ClientOrigin origin{.address = {}, .secure = tls, .plain = false};
  if (trusted.contains(client)) {
    const std::string protocols = joined(request, "X-Forwarded-Proto");
    std::string_view protocol_list = protocols;
    const std::string_view protocol = take_last(protocol_list);
    if (same_name(protocol, "https")) origin.secure = true;
    origin.plain = same_name(protocol, "http") && !tls;
    const std::string addresses = joined(request, "X-Forwarded-For");
    std::string_view rest = addresses;
    while (!rest.empty() && trusted.contains(client)) {
      const auto next = parse_forwarded(take_last(rest));
      if (!next) break;
      client = *next;
    }
  }
  origin.address = client.to_string();
  return origin;
}

}  // namespace xray
