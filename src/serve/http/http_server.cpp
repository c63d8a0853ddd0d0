#include "serve/http/http_server.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <set>
#include <tuple>
#include <utility>

#include "common/clock.h"
#include "serve/http/problem.h"
#include "serve/http/stream.h"
#include "serve/http/tls.h"
#include "serve/log/log.h"
#include "store/uuid.h"

namespace xray {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::buffer_body>;

/// Completes with (error_code, ...) instead of throwing.
constexpr auto kQuietly = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kChunk = 64U << 10U;
/// A year: whoever came through TLS once comes no other way.
constexpr const char* kStrictTransport = "max-age=31536000";
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr std::chrono::milliseconds kFarewell{1'000};
constexpr std::chrono::milliseconds kAcceptPause{200};
/// A refused body up to this size is read past, which costs less than a new connection.
constexpr std::uint64_t kMaxPassedOver = 1U << 20U;
/// Connections beyond the limit that are told so at one time; others are closed without a word.
constexpr std::size_t kMaxTurnedAway = 64;

/// An id that is safe in a log and in an answer.
bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 &&
         id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string_view::npos;
}

/// Of one connection.
struct Peer {
  asio::ip::address address;
  bool tls = false;
};

Request make_request(const Parser::value_type& message, const Peer& peer, const Networks& trusted) {
  Request request;
  request.method = std::string(message.method_string());
  const std::string_view target = message.target();
  const std::size_t question = std::min(target.find('?'), target.size());
  request.path = std::string(target.substr(0, question));
  request.query = std::string(target.substr(std::min(question + 1, target.size())));
  for (const auto& field : message)
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  const std::string* id = request.header("X-Request-Id");
  request.id = id != nullptr && is_request_id(*id) ? *id : make_uuid7();
  // Two of them contradict each other.
  const std::string* caller = request.count("traceparent") == 1 ? request.header("traceparent") : nullptr;
  request.trace = begin_span(caller != nullptr ? parse_traceparent(*caller) : std::nullopt);
  request.origin = client_origin(request, peer.address, peer.tls, trusted);
  return request;
}

/// For an answer to what could not be read as a request.
Request unread_request(const Peer& peer) {
  Request request;
  request.id = make_uuid7();
  request.trace = begin_span({});
  request.origin = {.address = peer.address.to_string(), .secure = peer.tls};
  return request;
}

/// False where there is no memory for them. Memory for the `expected` bytes of the whole body is
/// taken at once: it costs nothing until bytes arrive in it.
bool append(Bytes& body, std::span<const std::byte> more, std::uint64_t expected) try {
  body.reserve(expected);
  body.insert(body.end(), more.begin(), more.end());
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

/// Bytes of an answer that count: those that are not there anyway, and not few.
std::uint64_t memory_of(const Response& response) {
  const std::uint64_t size = response.body_view().size();
  return std::holds_alternative<std::span<const std::byte>>(response.body) || size < kChunk ? 0 : size;
}

Response body_too_large(std::uint64_t limit) {
  return problem(
      {ErrorCode::kTooLarge, "the body is larger than the limit of " + std::to_string(limit) + " bytes"});
}

class Session;

}  // namespace

/// What all sessions share. Touched by the thread in run() only, but for the counts.
struct HttpServer::State {
  explicit State(HttpOptions wanted) : options(std::move(wanted)) {}

  HttpOptions options;
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  asio::signal_set signals{io};
  asio::signal_set hangups{io};
  std::function<void()> reload;
  asio::steady_timer drain{io};
  tcp::endpoint endpoint;
  Handler* handler = nullptr;
  asio::steady_timer delay{io};
  std::set<Session*> sessions;
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<std::uint64_t> running = 0;
  std::atomic<std::uint64_t> buffered = 0;
  std::atomic<std::uint64_t> refused_connections = 0;
  std::atomic<std::uint64_t> refused_for_memory = 0;
  std::size_t turned_away = 0;
  bool told_to_stop = false;
  bool stopping = false;
  std::function<void()> on_stop;

  asio::awaitable<void> accept();
  void welcome(tcp::socket socket);
  /// Closes the session that has kept the server waiting longest, of those that hold memory where
  /// that is what is needed. False where none has.
  bool close_laggard(bool holding_memory);
  /// Closes laggards until the bytes held are within the limit; false where that cannot be.
  bool make_room();
  void await_signal();
  void be_told_to_stop();
  void await_hangup();
  void begin_stop();
  void cut_off();
};

namespace {

/// A session's share of the bytes that all sessions hold.
class Held {
 public:
  explicit Held(std::atomic<std::uint64_t>& total) : total_(total) {}
  ~Held() { release(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  void add(std::uint64_t bytes) {
    total_ += bytes;
    mine_ += bytes;
  }
  void release() { total_ -= std::exchange(mine_, 0); }
  std::uint64_t mine() const { return mine_; }

 private:
  std::atomic<std::uint64_t>& total_;
  std::uint64_t mine_ = 0;
};

/// Counts one more for as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<std::uint64_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::uint64_t>& count_;
};

/// One connection: reads a request, has it answered, and again, until either side
/// has enough. Its coroutine keeps it alive.
class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `welcome`: false for a connection beyond the limit, which is told so and closed.
  Session(HttpServer::State& server, tcp::socket socket, bool welcome)
      : server_(server),
        peer_(peer_of(socket, server.options.tls != nullptr)),
        stream_(std::move(socket), server.options.tls == nullptr ? nullptr : server.options.tls->current()),
        timer_(server.io),
        counted_(server.connections),
        welcome_(welcome) {
    server_.sessions.insert(this);
    if (!welcome_) ++server_.turned_away;
  }
  ~Session() {
    server_.sessions.erase(this);
    if (!welcome_) --server_.turned_away;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool is_idle() const { return doing_ == Doing::kIdle; }
  bool holds_memory() const { return held_.mine() != 0; }

  /// How long it has kept the server waiting beyond what a client may; none while it waits for us.
  std::optional<Clock::duration> lag() const;

  /// Ends it from outside: whatever it waits for on the socket fails.
  void close() {
    error_code ignored;
    std::ignore = stream_.socket().close(ignored);
  }
  /// Ends it for the sake of others, who may have its memory from now on.
  void make_way() {
    doing_ = Doing::kClosed;
    held_.release();
    close();
  }
  /// Ends it while its request may be worked on.
  void abandon() {
    abandoned_.request_stop();
    close();
  }

  asio::awaitable<void> run();

 private:
  enum class Doing {
    kIdle,      ///< waits for a request to begin
    kTransfer,  ///< reads or writes
    kWork,      ///< waits for the handler
    kClosed,    ///< has made way
  };

  /// From now on, operations on the socket are cancelled after `limit`.
  void allow(std::chrono::milliseconds limit);
  void allow_until(Clock::time_point deadline);
  void allow_forever() { ++allowance_; }
  /// A transfer begins that may take `limit` in all.
  void begin_transfer(std::chrono::milliseconds limit);
  /// It went on by so many bytes; who falls behind the least rate is cut off.
  void advance_transfer(std::size_t bytes);

  static Peer peer_of(const tcp::socket& socket, bool tls) {
    error_code ignored;
    return {socket.remote_endpoint(ignored).address(), tls};
  }
  asio::awaitable<bool> greet();
  asio::awaitable<void> say_goodbye();
  asio::awaitable<void> turn_away();
  asio::awaitable<bool> wait_for_request();
  asio::awaitable<bool> serve_one();
  asio::awaitable<std::optional<Response>> read_body(Parser& parser, std::uint64_t limit, Bytes& body);
  asio::awaitable<bool> drop_body(std::uint64_t bytes);
  asio::awaitable<void> identify(Request& request);
  asio::awaitable<Response> answer(const Request& request);
  void watch();
  asio::awaitable<bool> write(const Request& request, Response response, unsigned version, bool keep_alive);
  template <typename Body>
  asio::awaitable<error_code> write_message(http::response<Body>& message);
  asio::awaitable<void> linger();

  HttpServer::State& server_;
  const Peer peer_;
  Stream stream_;
  asio::steady_timer timer_;
  Counted counted_;
  beast::flat_buffer buffer_{HttpServer::kMaxHead + kChunk};
  const bool welcome_;
  Held held_{server_.buffered};
  std::stop_source abandoned_;  ///< the request that is worked on
  std::uint64_t allowance_ = 0;
  bool timed_out_ = false;
  Doing doing_ = Doing::kIdle;
  Clock::time_point since_ = Clock::now();  ///< it has been idle, or the request's first byte came
  Clock::time_point on_time_;               ///< when a client of the least rate would have come as far
  Clock::time_point transfer_end_;          ///< at the latest
};

std::optional<Clock::duration> Session::lag() const {
  if (!welcome_) return std::nullopt;
  switch (doing_) {
    case Doing::kIdle:
      // Waiting for nothing counts from its first moment, and more than being slow.
      return Clock::now() - since_ + server_.options.lag_when_full;
    case Doing::kTransfer:
      if (const Clock::duration lag = Clock::now() - on_time_; lag >= server_.options.lag_when_full)
        return lag;
      return std::nullopt;
    case Doing::kWork:
    case Doing::kClosed:
      return std::nullopt;
  }
  return std::nullopt;
}

void Session::begin_transfer(std::chrono::milliseconds limit) {
  doing_ = Doing::kTransfer;
  on_time_ = Clock::now();
  transfer_end_ = on_time_ + limit;
  advance_transfer(0);
}

void Session::advance_transfer(std::size_t bytes) {
  // Never ahead of time: what sockets' buffers took at once must not pay for a standstill later.
  const std::chrono::milliseconds paid(bytes * 1000 / std::max<std::uint64_t>(server_.options.min_rate, 1));
  on_time_ = std::min<Clock::time_point>(Clock::now(), on_time_ + paid);
  allow_until(std::min<Clock::time_point>(transfer_end_, on_time_ + server_.options.max_lag));
}

void Session::allow(std::chrono::milliseconds limit) {
  allow_until(Clock::now() + limit);
}

void Session::allow_until(Clock::time_point deadline) {
  timed_out_ = false;
  const std::uint64_t mine = ++allowance_;
  timer_.expires_at(deadline);
  timer_.async_wait([self = shared_from_this(), mine](error_code error) {
    // The timer may have fired just before it was set anew.
    if (error || mine != self->allowance_) return;
    self->timed_out_ = true;
    error_code ignored;
    std::ignore = self->stream_.socket().cancel(ignored);
  });
}

asio::awaitable<void> Session::run() {
  try {
    bool more = co_await greet();
    const bool greeted = more;
    if (more && !welcome_) co_await turn_away();
    for (more = more && welcome_; more && !server_.stopping;) {
      more = co_await wait_for_request();
      if (more) more = co_await serve_one();
    }
    if (greeted) co_await say_goodbye();
  } catch (const std::exception& error) {
    spdlog::error("a session failed: {}", error.what());
  }
  timer_.cancel();
  close();
}

/// False where the client does not come to terms in time.
asio::awaitable<bool> Session::greet() {
  if (!stream_.is_secure()) co_return true;
  begin_transfer(welcome_ ? server_.options.header_timeout : kLinger);
  const auto [error] = co_await stream_.async_handshake(kQuietly);
  co_return !error;
}

/// So that the client knows that nothing was cut off.
asio::awaitable<void> Session::say_goodbye() {
  if (!stream_.is_secure() || !stream_.socket().is_open()) co_return;
  begin_transfer(kFarewell);
  const auto [error] = co_await stream_.async_farewell(kQuietly);
  std::ignore = error;
}

asio::awaitable<void> Session::turn_away() {
  // Named: GCC 12 lets go of temporaries too early in a condition that waits.
  const Request request = unread_request(peer_);
  Response refusal = busy("too many connections");
  if (co_await write(request, std::move(refusal), 11, false)) co_await linger();
}

asio::awaitable<bool> Session::wait_for_request() {
  if (buffer_.size() != 0) co_return true;
  doing_ = Doing::kIdle;
  since_ = Clock::now();
  allow(server_.options.idle_timeout);
  const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(4096), kQuietly);
  buffer_.commit(size);
  co_return !error;
}

/// Whether the connection may go on.
asio::awaitable<bool> Session::serve_one() {
  since_ = Clock::now();
  Parser parser;
  parser.header_limit(HttpServer::kMaxHead);
  // Told by the handler, once it knows the head; counted in read_body().
  parser.body_limit(boost::none);

  begin_transfer(server_.options.header_timeout);
  const auto [error, unused] = co_await http::async_read_header(stream_, buffer_, parser, kQuietly);
  if (error) {
    std::optional<Response> refusal;
    if (timed_out_)
      refusal = problem({ErrorCode::kTimeout, "the request's head did not come in time"});
    else if (error == http::error::header_limit || error == http::error::buffer_overflow)
      refusal = problem(431, {ErrorCode::kTooLarge, "the request's head is too large"});
    else if (error != http::error::end_of_stream && error != http::error::partial_message &&
             error.category() == http::make_error_code(http::error::bad_method).category())
      refusal = problem({ErrorCode::kInvalidArgument, "this is not HTTP/1.1: " + error.message()});
    if (refusal) {
      const Request request = unread_request(peer_);
      if (co_await write(request, std::move(*refusal), 11, false)) co_await linger();
    }
    co_return false;
  }

  const Counted running(server_.running);
  Request request = make_request(parser.get(), peer_, server_.options.trusted_proxies);
  abandoned_ = std::stop_source();
  request.abandoned = abandoned_.get_token();
  const unsigned version = parser.get().version();
  if (!server_.handler->recognise(request)) {
    allow_forever();
    doing_ = Doing::kWork;
    co_await identify(request);
  }
  Admission admission = server_.handler->admit(request);
  std::optional<Response> refusal = std::move(admission.refusal);
  const bool has_body = !parser.is_done();
  if (!refusal && parser.content_length().value_or(0) > admission.max_body)
    refusal = body_too_large(admission.max_body);

  const std::string* expect = request.header("Expect");
  // Who was to be asked for the body may send it or not: no way to tell it from the next request.
  const std::uint64_t length = parser.content_length().value_or(UINT64_MAX);
  const bool pass_over =
      refusal && has_body && expect == nullptr && length <= admission.max_body && length <= kMaxPassedOver;
  Bytes body;
  if (!refusal && has_body) {
    if (expect != nullptr && !same_name(*expect, "100-continue"))
      refusal = problem(417, {ErrorCode::kInvalidArgument, "this expectation is not understood"});
    else
      refusal = co_await read_body(parser, admission.max_body, body);
  }
  request.body = body;

  // A body left unread would be taken for the next request.
  const bool unread = has_body && refusal.has_value() && !pass_over;
  Response response;
  if (refusal) {
    response = std::move(*refusal);
  } else {
    allow_forever();
    doing_ = Doing::kWork;
    watch();
    response = co_await answer(request);
    error_code ignored;
    std::ignore = stream_.socket().cancel(ignored);
  }
  request.body = {};
  body = Bytes();
  held_.release();
  // Who does not take its answers must not fill the memory with them.
  held_.add(memory_of(response));
  if (!server_.make_room()) {
    ++server_.refused_for_memory;
    held_.release();
    response = busy("too many answers wait to be taken");
  }

  const bool keep_alive = parser.keep_alive() && !unread && !server_.stopping;
  const bool written = co_await write(request, std::move(response), version, keep_alive);
  held_.release();
  if (!written) co_return false;
  if (unread) co_await linger();
  if (pass_over && keep_alive) co_return co_await drop_body(length);
  co_return keep_alive;
}

/// Appends the body to `body`; the answer that refuses it where it cannot be taken.
asio::awaitable<std::optional<Response>> Session::read_body(Parser& parser, std::uint64_t limit,
                                                            Bytes& body) {
  begin_transfer(server_.options.body_timeout);
  if (const auto expect = parser.get().find(http::field::expect);
      expect != parser.get().end() && buffer_.size() == 0) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // A client that is gone shows when its body is read.
    co_await asio::async_write(stream_, asio::buffer(kContinue), kQuietly);
  }
  const std::uint64_t expected = parser.content_length().value_or(0);
  Bytes chunk(kChunk);
  while (!parser.is_done()) {
    auto& target = parser.get().body();
    target.data = chunk.data();
    target.size = chunk.size();
    const auto [error, unused] = co_await http::async_read_some(stream_, buffer_, parser, kQuietly);
    const std::size_t received = chunk.size() - target.size;
    if (timed_out_) co_return problem({ErrorCode::kTimeout, "the request's body did not come in time"});
    if (error && error != http::error::need_buffer)
      co_return problem({ErrorCode::kInvalidArgument, "the request's body is broken off or malformed"});
    if (!append(body, std::span(chunk).first(received), expected))
      co_return busy("the server has not enough memory for this body now");
    if (body.size() > limit) co_return body_too_large(limit);
    advance_transfer(received);
    held_.add(received);
    if (!server_.make_room()) {
      ++server_.refused_for_memory;
      co_return busy("too many uploads at one time");
    }
  }
  co_return std::nullopt;
}

/// Throws away the body of a request that was answered already; false where it does not come.
asio::awaitable<bool> Session::drop_body(std::uint64_t bytes) {
  begin_transfer(server_.options.body_timeout);
  const std::size_t here = std::min<std::uint64_t>(bytes, buffer_.size());
  buffer_.consume(here);
  bytes -= here;
  Bytes scratch(stream_.is_secure() ? kChunk : 0);
  while (bytes > 0) {
    if (stream_.is_secure()) {
      const auto room = asio::buffer(scratch.data(), std::min<std::uint64_t>(bytes, scratch.size()));
      const auto [error, size] = co_await stream_.async_read_some(room, kQuietly);
      if (error) co_return false;
      bytes -= size;
      advance_transfer(size);
      continue;
    }
    // Under overload most uploads end here: the kernel drops the bytes without copying them (tcp(7)).
    const ssize_t dropped =
        ::recv(stream_.socket().native_handle(), nullptr, bytes, MSG_TRUNC | MSG_DONTWAIT);
    if (dropped > 0) {
      bytes -= static_cast<std::uint64_t>(dropped);
      advance_transfer(static_cast<std::size_t>(dropped));
      continue;
    }
    if (dropped == 0 || (errno != EAGAIN && errno != EINTR)) co_return false;
    const auto [error] = co_await stream_.socket().async_wait(tcp::socket::wait_read, kQuietly);
    if (error) co_return false;
  }
  co_return true;
}

/// Gives up the request that is worked on as soon as the client is gone.
void Session::watch() {
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    // Cancelled, mostly: the answer is there.
    if (error || self->doing_ != Doing::kWork) return;
    const Stream::Peer peer = self->stream_.look_at_peer();
    if (peer == Stream::Peer::kUnsure)
      self->watch();
    else if (peer == Stream::Peer::kGone)
      self->abandoned_.request_stop();
  });
}

asio::awaitable<void> Session::identify(Request& request) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this, &request](auto completion) {
        auto waiting = std::make_shared<decltype(completion)>(std::move(completion));
        server_.handler->identify(request, [waiting, executor = stream_.get_executor()] {
          asio::post(executor, [resume = std::move(*waiting)]() mutable { resume(); });
        });
      },
      asio::use_awaitable);
}

asio::awaitable<Response> Session::answer(const Request& request) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      [this, &request](auto completion) {
        // A std::function has to be copyable, a coroutine's completion is not.
        auto waiting = std::make_shared<decltype(completion)>(std::move(completion));
        server_.handler->handle(request, [waiting, executor = stream_.get_executor()](Response response) {
          asio::post(executor, [resume = std::move(*waiting), response = std::move(response)]() mutable {
            resume(std::move(response));
          });
        });
      },
      asio::use_awaitable);
}

/// Writes the answer and its line in the log; false where the client is gone.
asio::awaitable<bool> Session::write(const Request& request, Response response, unsigned version,
                                     bool keep_alive) {
  begin_transfer(server_.options.write_timeout);
  const std::string_view body = response.body_view();
  const auto fill_head = [&](auto& message) {
    message.result(static_cast<unsigned>(response.status));
    message.version(version);
    message.keep_alive(keep_alive);
    message.set(http::field::date, http_date(std::chrono::system_clock::now()));
    message.set("X-Request-Id", request.id);
    message.set("traceparent", to_traceparent(request.trace));
    if (request.origin.secure) message.set("Strict-Transport-Security", kStrictTransport);
    for (const Header& header : server_.options.headers) message.set(header.name, header.value);
    for (const Header& header : response.headers) message.set(header.name, header.value);
    // RFC 9110, section 8.6: none in a 204; with 304, that of the answer left out.
    if (response.status != 204 && response.status != 304) message.content_length(body.size());
  };
  error_code error;
  if (request.method == "HEAD" || body.empty()) {
    http::response<http::empty_body> message;
    fill_head(message);
    error = co_await write_message(message);
  } else {
    http::response<http::span_body<const char>> message;
    message.body() = {body.data(), body.size()};
    fill_head(message);
    error = co_await write_message(message);
  }
  const std::chrono::duration<double> spent = Clock::now() - since_;
  // What a client calls its method may be anything.
  const std::string_view method =
      http::string_to_verb(request.method) == http::verb::unknown ? "-" : std::string_view(request.method);
  std::vector<LogField> facts = {{"request_id", request.id},
                                 {"trace_id", request.trace.trace_id},
                                 {"span_id", request.trace.span_id},
                                 {"client", request.origin.address},
                                 {"method", method},
                                 {"route", response.route},
                                 {"status", std::int64_t{response.status}},
                                 {"bytes", static_cast<std::int64_t>(body.size())},
                                 {"seconds", spent.count()}};
  if (!response.refused_by.empty()) facts.push_back({"refused_by", response.refused_by});
  if (!request.trace.parent_id.empty()) facts.push_back({"parent_id", request.trace.parent_id});
  log_event(spdlog::level::info, error ? "request, client gone" : "request", std::move(facts));
  if (server_.options.observer != nullptr)
    server_.options.observer->on_exchange({method, response.route, response.status, body.size(), spent});
  co_return !error;
}

/// As the client takes it, piece by piece.
template <typename Body>
asio::awaitable<error_code> Session::write_message(http::response<Body>& message) {
  http::response_serializer<Body> serializer(message);
  while (!serializer.is_done()) {
    const auto [error, size] = co_await http::async_write_some(stream_, serializer, kQuietly);
    if (error) co_return error;
    advance_transfer(size);
  }
  co_return error_code();
}

/// Lets the client read the last answer: a socket closed with bytes unread takes
/// what is still on its way along (RFC 9112, section 9.6).
asio::awaitable<void> Session::linger() {
  error_code ignored;
  begin_transfer(kLinger);
  if (!stream_.is_secure()) std::ignore = stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  buffer_.consume(buffer_.size());
  for (;;) {
    const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(kChunk), kQuietly);
    if (error) co_return;
  }
}

}  // namespace

asio::awaitable<void> HttpServer::State::accept() {
  while (!stopping) {
    auto [error, socket] = co_await acceptor.async_accept(kQuietly);
    if (stopping) co_return;
    if (!error) {
      try {
        welcome(std::move(socket));
        continue;
      } catch (const std::bad_alloc&) {
        error = asio::error::no_memory;
      }
    }
    // Out of descriptors or memory, mostly: it passes once some session ends.
    spdlog::warn("cannot accept a connection: {}", error.message());
    if (close_laggard(/*holding_memory=*/false)) continue;
    asio::steady_timer pause(io, kAcceptPause);
    co_await pause.async_wait(kQuietly);
  }
}

void HttpServer::State::welcome(tcp::socket socket) {
  error_code ignored;
  std::ignore = socket.set_option(tcp::no_delay(true), ignored);
  const bool room =
      sessions.size() - turned_away < options.max_connections || close_laggard(/*holding_memory=*/false);
  if (!room) ++refused_connections;
  if (!room && turned_away >= kMaxTurnedAway) return;
  const auto session = std::make_shared<Session>(*this, std::move(socket), room);
  asio::co_spawn(io, [session] { return session->run(); }, asio::detached);
}

bool HttpServer::State::close_laggard(bool holding_memory) {
  Session* slowest = nullptr;
  Clock::duration most{};
  for (Session* session : sessions) {
    const auto lag = session->lag();
    if (!lag || (holding_memory && !session->holds_memory()) || (slowest != nullptr && *lag <= most))
      continue;
    slowest = session;
    most = *lag;
  }
  if (slowest != nullptr) slowest->make_way();
  return slowest != nullptr;
}

bool HttpServer::State::make_room() {
  while (buffered > options.max_buffered)
    if (!close_laggard(/*holding_memory=*/true)) return false;
  return true;
}

void HttpServer::State::await_signal() {
  signals.async_wait([this](error_code error, int) {
    if (error) return;
    if (told_to_stop) {
      begin_stop();
      cut_off();
    } else {
      be_told_to_stop();
    }
    await_signal();
  });
}

void HttpServer::State::be_told_to_stop() {
  if (told_to_stop) return;
  told_to_stop = true;
  if (options.on_told_to_stop) options.on_told_to_stop();
  if (options.stop_delay.count() <= 0) return begin_stop();
  delay.expires_after(options.stop_delay);
  delay.async_wait([this](error_code error) {
    if (!error) begin_stop();
  });
}

void HttpServer::State::await_hangup() {
  hangups.async_wait([this](error_code error, int) {
    if (error) return;
    reload();
    await_hangup();
  });
}

void HttpServer::State::begin_stop() {
  if (stopping) return;
  stopping = true;
  if (on_stop) on_stop();
  error_code ignored;
  std::ignore = acceptor.close(ignored);
  for (Session* session : sessions)
    if (session->is_idle()) session->close();
  drain.expires_after(options.drain_timeout);
  drain.async_wait([this](error_code error) {
    if (!error) cut_off();
  });
}

void HttpServer::State::cut_off() {
  for (Session* session : sessions) session->abandon();
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const HttpOptions& options) {
  auto state = std::make_unique<State>(options);
  error_code error;
  tcp::resolver resolver(state->io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error)
    return Error{ErrorCode::kInvalidArgument, options.host + " names no address: " + error.message()};
  try {
    const tcp::endpoint endpoint = found.begin()->endpoint();
    state->acceptor.open(endpoint.protocol());
    state->acceptor.set_option(tcp::acceptor::reuse_address(true));
    state->acceptor.bind(endpoint);
    state->acceptor.listen();
    state->endpoint = state->acceptor.local_endpoint();
  } catch (const boost::system::system_error& failure) {
    return Error{ErrorCode::kIo, "cannot listen on " + options.host + " port " +
                                     std::to_string(options.port) + ": " + failure.code().message()};
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

std::uint16_t HttpServer::port() const {
  return state_->endpoint.port();
}

std::string HttpServer::url() const {
  const tcp::endpoint& endpoint = state_->endpoint;
  const std::string address = endpoint.address().to_string();
  return (state_->options.tls != nullptr ? "https://" : "http://") +
         (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

const HttpOptions& HttpServer::options() const {
  return state_->options;
}

HttpLoad HttpServer::load() const {
  return {.connections = state_->connections,
          .running = state_->running,
          .buffered = state_->buffered,
          .refused_connections = state_->refused_connections,
          .refused_for_memory = state_->refused_for_memory};
}

bool HttpServer::is_loopback() const {
  return state_->endpoint.address().is_loopback();
}

void HttpServer::stop_on_signals() {
  // A parent may have left them blocked, which a program started by it inherits.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  state_->signals.add(SIGTERM);
  state_->signals.add(SIGINT);
  state_->await_signal();
}

void HttpServer::on_stop(std::function<void()> told) {
  state_->on_stop = std::move(told);
}

void HttpServer::on_hangup(std::function<void()> reload) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  state_->reload = std::move(reload);
  state_->hangups.add(SIGHUP);
  state_->await_hangup();
}

void HttpServer::run(Handler& handler) {
  state_->handler = &handler;
  asio::co_spawn(state_->io, state_->accept(), asio::detached);
  // Sessions that wait for a reply are no work that Asio knows of; waiting for
  // signals is, though there is nothing left to do.
  const auto work = asio::make_work_guard(state_->io);
  while (!state_->stopping || !state_->sessions.empty()) state_->io.run_one();
}

void HttpServer::stop() {
  asio::post(state_->io, [state = state_.get()] { state->be_told_to_stop(); });
}

}  // namespace xray
