#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/caller.h"
#include "common/error.h"
#include "common/file.h"
#include "serve/log/trace_context.h"

namespace xray {

/// One field of a message's head.
struct Header {
  std::string name;
  std::string value;
};

/// From where a request comes.
struct ClientOrigin {
  std::string address;  ///< of the client, "192.0.2.1"; IPv4 never as IPv6
  bool secure = false;  ///< the client's own connection is TLS
  bool plain = false;   ///< a trusted proxy says that it is not
};

/// A request as it came: the head, and the body once it has been read.
struct Request {
  std::string method;  ///< upper case, as sent: "GET"
  std::string path;    ///< begins with "/", not percent-decoded
  std::string query;   ///< what follows "?", without it
  std::vector<Header> headers;
  std::span<const std::byte> body;
  ClientOrigin origin;
  std::string id;      ///< X-Request-Id, the client's own or made here
  TraceContext trace;  ///< of the client's traceparent, else one that begins here
  /// Who asks; null where nobody was asked, since there is no lock.
  std::shared_ptr<const Caller> caller;
  std::optional<Error> unidentified{};  ///< why nobody could find out who asks
  std::stop_token abandoned;            ///< nobody waits for the answer any more

  /// Whether its method is one that asks for a change: neither GET nor HEAD.
  bool changes_something() const { return method != "GET" && method != "HEAD"; }
  /// The first field of that name in any case; null where there is none.
  const std::string* header(std::string_view name) const;
  /// How many fields of that name there are.
  std::size_t count(std::string_view name) const;
};

/// An answer. The server adds what every answer carries (length, date, connection).
struct Response {
  int status = 200;
  std::vector<Header> headers;
  /// Text, bytes, or bytes that live as long as the program.
  std::variant<std::string, Bytes, std::span<const std::byte>> body;
  /// The route that answered, for the log: its pattern, never what a client wrote.
  std::string_view route = "-";
  /// Which check turned the request away, for the log: "csrf"; empty where none did.
  std::string_view refused_by{};

  std::string_view body_view() const;
};

/// `json` as the body, never cached: findings are patients' data.
Response json_response(int status, const nlohmann::ordered_json& json);

/// The decoded value of `name` in "a=1&b=x+y" ("+" is a space); the first one counts.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

/// Whether If-None-Match names `etag` (quotes included), so that 304 says enough.
bool client_has(const Request& request, std::string_view etag);

/// Whether two names of ASCII letters are the same in any case.
bool same_name(std::string_view a, std::string_view b);

}  // namespace xray
