#pragma once

#include <optional>
#include <vector>

#include "common/error.h"
#include "serve/http/http_message.h"

namespace xray {

/// Fields that every answer carries: the page may load nothing from elsewhere, run
/// nothing inline, be framed by nobody, and leak no address.
std::vector<Header> security_headers();

/// A refusal, with the status it goes under.
struct Refused {
  int status = 403;
  Error error;
  std::string_view by;  ///< Response::refused_by
};

/// What keeps other web sites out, whoever is signed in: a request that changes
/// something must not come from another site's page (Origin, Sec-Fetch-Site), and
/// a server on loopback answers to loopback's names alone, so that a foreign name
/// that resolves to 127.0.0.1 gets nothing (DNS rebinding). One Host is required
/// (RFC 9112, section 3.2).
std::optional<Refused> guard(const Request& request, bool loopback_only);

}  // namespace xray
