#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "serve/http/client_origin.h"
#include "serve/http/handler.h"

namespace xray {

class TlsCertificates;

/// A request that was answered, or refused.
struct Exchange {
  std::string_view method;  ///< one that HTTP knows, else "-"
  std::string_view route;   ///< Response::route
  int status = 0;
  std::uint64_t bytes = 0;                ///< of the answer's body
  std::chrono::duration<double> spent{};  ///< from the request's first byte to the answer's last
};

/// Told of every exchange, on the server's thread: microseconds, no blocking, nothing thrown.
class HttpObserver {
 public:
  virtual ~HttpObserver() = default;
  virtual void on_exchange(const Exchange& exchange) = 0;
};

/// How much goes on at this moment, and what was turned away so far.
struct HttpLoad {
  std::uint64_t connections = 0;
  std::uint64_t running = 0;   ///< requests whose head has come and whose answer has not gone
  std::uint64_t buffered = 0;  ///< bytes of bodies and answers
  std::uint64_t refused_connections = 0;
  std::uint64_t refused_for_memory = 0;  ///< HttpOptions::max_buffered
};

/// Where to listen and what one client may cost.
struct HttpOptions {
  std::string host = "127.0.0.1";  ///< a name or an address; IPv6 without brackets
  std::uint16_t port = 8080;       ///< 0: any free one
  std::size_t max_connections = 512;
  std::uint64_t max_buffered = 512ULL << 20U;      ///< bytes of all bodies and answers held at one time
  std::chrono::milliseconds idle_timeout{60'000};  ///< for the next request to begin
  std::chrono::milliseconds header_timeout{
      10'000};                                      ///< from a head's first byte to its last; for a handshake
  std::chrono::milliseconds body_timeout{120'000};  ///< for a whole body
  std::chrono::milliseconds write_timeout{120'000};  ///< for a whole answer
  std::uint64_t min_rate = 1024;                     ///< bytes a second that a client sends or takes
  std::chrono::milliseconds max_lag{20'000};         ///< how far a body or an answer may fall behind that
  /// How far behind a client must be to be closed where others need its connection or memory.
  std::chrono::milliseconds lag_when_full{1'000};
  std::chrono::milliseconds stop_delay{0};          ///< for which it goes on once told to stop
  std::chrono::milliseconds drain_timeout{10'000};  ///< for running requests after that
  std::vector<Header> headers;                      ///< on every answer
  const TlsCertificates* tls = nullptr;             ///< outlives the server; none: in the clear
  Networks trusted_proxies;                         ///< see client_origin()
  std::function<void()> on_told_to_stop;            ///< on run()'s thread, before stop_delay
  HttpObserver* observer = nullptr;                 ///< outlives the server
};

/// An HTTP/1.1 server: sockets, sessions, limits, timeouts. It knows nothing of
/// what is served. Where connections or memory run out, the client that has kept the server waiting
/// longest makes way: idlers, slow senders, slow readers, never one whose request is worked on. One thread
/// does all the talking; the Handler does the work, and is destroyed, its threads ended, before the server
/// is.
class HttpServer {
 public:
  static constexpr std::uint32_t kMaxHead = 16U << 10U;  ///< bytes of a request's head

  /// Binds and listens. kInvalidArgument where `host` names no address, kIo where
  /// the address is in use or not ours.
  static Result<std::unique_ptr<HttpServer>> listen(const HttpOptions& options);
  ~HttpServer();

  std::uint16_t port() const;
  /// "http://127.0.0.1:8080".
  std::string url() const;
  /// Whether only this machine can reach it.
  bool is_loopback() const;

  const HttpOptions& options() const;
  /// From any thread.
  HttpLoad load() const;

  /// Lets SIGTERM and SIGINT call stop(); a second one cuts delay and draining short.
  void stop_on_signals();

  /// Has `told` called when it begins to stop, once, on run()'s thread; it must not block or throw.
  void on_stop(std::function<void()> told);
  /// Has `reload` called on every SIGHUP, on the server's thread while it runs; it must not block.
  void on_hangup(std::function<void()> reload);

  /// Serves until stopped, and for stop_delay more, so that whoever shares out requests sees that it
  /// is no longer ready. Then no new connections: running requests are answered for as long as
  /// drain_timeout lets them, and every reply has come.
  void run(Handler& handler);

  /// From any thread; before run() too.
  void stop();

  struct State;

 private:
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace xray
