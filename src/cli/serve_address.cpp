#include "cli/serve_address.h"

#include <cstdlib>

namespace xray {

Result<ListenAddress> serve_address(const std::string& listen) {
  ListenAddress address;
  const char* port = std::getenv("PORT");  // NOLINT(concurrency-mt-unsafe): nothing else runs yet
  if (port != nullptr && *port != '\0') {
    const Result<std::uint16_t> parsed = parse_port(port);
    if (!parsed) return with_context(parsed.error(), "$PORT");
    address.port = *parsed;
  }
  if (listen.empty()) return address;
  auto parsed = parse_listen_address(listen, address.port);
  if (!parsed) return with_context(parsed.error(), "--listen");
  return parsed;
}

}  // namespace xray
