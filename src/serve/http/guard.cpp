#include "serve/http/guard.h"

#include <algorithm>
#include <array>

namespace xray {
namespace {

/// "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]".
std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return has_port ? host.substr(0, colon) : host;
}

bool is_loopback_name(std::string_view host) {
  constexpr std::array<std::string_view, 3> kNames = {"localhost", "127.0.0.1", "[::1]"};
  return std::any_of(kNames.begin(), kNames.end(),
                     [&](std::string_view name) { return same_name(name, host); });
}

/// "http://localhost:8080" -> "localhost:8080"; "null" stays, and equals no host.
std::string_view authority(std::string_view origin) {
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos ? origin : origin.substr(scheme + 3);
}

}  // namespace

std::vector<Header> security_headers() {
  return {
      {"Content-Security-Policy",
       // A picture that is being sent is shown from the browser's own memory (blob:).
       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
       "img-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
      {"Permissions-Policy",
       "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
       "microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
  };
}

std::optional<Refused> guard(const Request& request, bool loopback_only) {
  const auto hosts = std::count_if(request.headers.begin(), request.headers.end(),
                                   [](const Header& header) { return same_name(header.name, "Host"); });
  if (hosts != 1)
    return Refused{400, {ErrorCode::kInvalidArgument, "a request needs exactly one Host field"}, "host"};
  const std::string& host = *request.header("Host");
  if (loopback_only && !is_loopback_name(without_port(host)))
    return Refused{421, {ErrorCode::kInvalidArgument, "this server answers to localhost alone"}, "host"};
  if (!request.changes_something()) return std::nullopt;
  const std::string* site = request.header("Sec-Fetch-Site");
  const std::string* origin = request.header("Origin");
  if ((site != nullptr && *site == "cross-site") ||
      (origin != nullptr && !same_name(authority(*origin), host)))
    return Refused{
        403, {ErrorCode::kInvalidArgument, "requests from other sites' pages are refused"}, "origin"};
  return std::nullopt;
}

}  // namespace xray
