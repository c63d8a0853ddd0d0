#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>

#include "load/requests.h"

namespace xray::load {

/// How a client wastes a server's time.
enum class SlowKind {
  kHead,  ///< a head that never ends, a byte a second
  kBody,  ///< a body, a byte a second
  kDeaf,  ///< asks for the page again and again and reads no answer
};

/// What became of the slow clients.
struct SlowReport {
  std::uint64_t opened = 0;   ///< connections
  std::uint64_t cut_off = 0;  ///< of these, closed by the server
};

/// Wastes the server's time until the io_context stops; connects anew where it is cut off.
/// `report` outlives it. Everything is taken by value, since the caller does not wait.
boost::asio::awaitable<void> slow_client(SlowKind kind, Target target, boost::asio::ip::tcp::endpoint server,
                                         SlowReport& report);

}  // namespace xray::load
