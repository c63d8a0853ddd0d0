#include "load/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <tuple>

namespace xray::load {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);

/// Of an answer; findings and their maps are kilobytes.
constexpr std::uint64_t kMaxAnswer = 16U << 20U;

}  // namespace

Connection::Connection(asio::io_context& io, const tcp::endpoint& server, Traffic& traffic)
    : server_(server), traffic_(traffic), stream_(io) {}

asio::awaitable<Outcome> Connection::exchange(std::string_view request, Clock::time_point deadline) {
  bool stale = open_;
  stream_.expires_at(deadline);
  if (open_) {
    const Outcome outcome = co_await ask(request, stale);
    if (!stale) co_return outcome;
    stream_.expires_at(deadline);
  }
  if (const Failure failure = co_await connect(); failure != Failure::kNone) co_return Outcome{0, failure};
  co_return co_await ask(request, stale);
}

asio::awaitable<Failure> Connection::connect() {
  const auto [error] = co_await stream_.async_connect(server_, kQuietly);
  if (error) {
    close();
    co_return error == beast::error::timeout ? Failure::kTimedOut : Failure::kRefused;
  }
  error_code ignored;
  std::ignore = stream_.socket().set_option(tcp::no_delay(true), ignored);
  open_ = true;
  co_return Failure::kNone;
}

/// `stale`: whether the server had closed before it could have seen the request.
asio::awaitable<Outcome> Connection::ask(std::string_view request, bool& stale) {
  const auto [sending, sent] =
      co_await asio::async_write(stream_, asio::buffer(request.data(), request.size()), kQuietly);
  traffic_.sent += sent;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  // Whoever is refused by the head alone has its answer before the body is sent.
  error_code reading = sending;
  std::size_t received = 0;
  if (sending != beast::error::timeout)
    std::tie(reading, received) = co_await http::async_read(stream_, buffer_, parser, kQuietly);
  traffic_.received += received;
  stale = false;
  if (!reading) {
    if (sending || !parser.get().keep_alive()) close();
    co_return Outcome{static_cast<int>(parser.get().result_int())};
  }
  close();
  if (reading == beast::error::timeout) co_return Outcome{0, Failure::kTimedOut};
  stale = received == 0;
  co_return Outcome{0, Failure::kDropped};
}

void Connection::close() {
  stream_.close();
  buffer_.clear();
  open_ = false;
}

}  // namespace xray::load
