#pragma once

#include <string>

#include "common/result.h"
#include "serve/http/listen_address.h"

namespace xray {

/// Where `xray serve` listens for `listen`, what --listen says: HOST:PORT; HOST with the port in $PORT, else
/// 8080; or, where it is empty, loopback with that port. kInvalidArgument names what is wrong.
Result<ListenAddress> serve_address(const std::string& listen);

}  // namespace xray
