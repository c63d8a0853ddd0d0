#include "load/slow_client.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <string>
#include <tuple>

namespace xray::load {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kPause{1};
/// Answers to as many requests fill all buffers on the way.
constexpr int kDeafRequests = 500;
constexpr int kSmallBuffer = 4096;

std::string beginning(SlowKind kind, const Target& target) {
  const std::string host = "Host: " + target.authority() + "\r\n";
  switch (kind) {
    case SlowKind::kHead:
      return "POST " + target.path + " HTTP/1.1\r\n" + host + "X-Slow: ";
    case SlowKind::kBody:
      return "POST " + target.path + " HTTP/1.1\r\n" + host +
             "Content-Type: image/jpeg\r\nContent-Length: 1000000\r\n\r\n";
    case SlowKind::kDeaf: {
      std::string requests;
      for (int i = 0; i < kDeafRequests; ++i) requests += "GET / HTTP/1.1\r\n" + host + "\r\n";
      return requests;
    }
  }
  return {};
}

/// Whether the server has closed its side; answers on the way are read and forgotten.
bool is_closed(tcp::socket& socket) {
  error_code error;
  std::ignore = socket.non_blocking(true, error);
  char forgotten[kSmallBuffer];
  while (!error) socket.read_some(asio::buffer(forgotten), error);
  return error != asio::error::would_block;
}

}  // namespace

asio::awaitable<void> slow_client(SlowKind kind, Target target, tcp::endpoint server, SlowReport& report) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  const std::string first = beginning(kind, target);
  for (;;) {
    tcp::socket socket(executor, server.protocol());
    error_code ignored;
    // Before connecting, so that the window is never larger.
    std::ignore = socket.set_option(asio::socket_base::receive_buffer_size(kSmallBuffer), ignored);
    auto [error] = co_await socket.async_connect(server, kQuietly);
    if (!error) {
      ++report.opened;
      std::tie(error, std::ignore) = co_await asio::async_write(socket, asio::buffer(first), kQuietly);
    }
    while (!error) {
      timer.expires_after(kPause);
      co_await timer.async_wait(asio::use_awaitable);
      if (kind != SlowKind::kDeaf && is_closed(socket))
        error = asio::error::eof;
      else
        std::tie(error, std::ignore) = co_await socket.async_write_some(asio::buffer("a", 1), kQuietly);
      if (error) ++report.cut_off;
    }
    timer.expires_after(kPause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace xray::load
