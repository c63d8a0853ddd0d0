#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace xray::load {

using Clock = std::chrono::steady_clock;

/// Bytes over the wire, heads included.
struct Traffic {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

/// Why there is no answer.
enum class Failure {
  kNone,
  kRefused,   ///< no connection could be made
  kDropped,   ///< the server closed before its answer was whole, or answered no HTTP
  kTimedOut,  ///< the client waited long enough
};

/// What became of one request.
struct Outcome {
  int status = 0;  ///< of the answer; 0 where there is none
  Failure failure = Failure::kNone;

  bool accepted() const { return status >= 200 && status < 300; }
};

/// A client's connection, kept alive for as long as the server does. For one request at
/// a time, in the thread of `io`.
class Connection {
 public:
  /// `traffic` outlives the connection and is added to.
  Connection(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& server, Traffic& traffic);

  /// Sends `request` and reads the answer, connecting where there is no connection. One that the
  /// server closed while it was idle is replaced once, as browsers do.
  boost::asio::awaitable<Outcome> exchange(std::string_view request, Clock::time_point deadline);

 private:
  boost::asio::awaitable<Failure> connect();
  boost::asio::awaitable<Outcome> ask(std::string_view request, bool& stale);
  void close();

  boost::asio::ip::tcp::endpoint server_;
  Traffic& traffic_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  bool open_ = false;
};

}  // namespace xray::load
