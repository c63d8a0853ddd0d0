#include "serve/http/http_server.h"

#include <spdlog/spdlog.h>

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
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>
#include <csignal>
#include <exception>
#include <set>
#include <tuple>
#include <utility>

#include "common/clock.h"
#include "serve/http/problem.h"
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
constexpr std::chrono::milliseconds kLinger{2'000};
constexpr std::chrono::milliseconds kAcceptPause{200};

/// An id that is safe in a log and in an answer.
bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 &&
         id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
             std::string_view::npos;
}

Request make_request(const Parser::value_type& message) {
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
  return request;
}

Response body_too_large(std::uint64_t limit) {
  return problem(
      {ErrorCode::kTooLarge, "the body is larger than the limit of " + std::to_string(limit) + " bytes"});
}

class Session;

}  // namespace

/// What all sessions share. Touched by the thread in run() only.
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
  std::set<Session*> sessions;
  std::uint64_t buffered = 0;
  bool stopping = false;
  std::stop_source abandon;

  asio::awaitable<void> accept();
  void await_signal();
  void await_hangup();
  void begin_stop();
  void cut_off();
};

namespace {

/// A session's share of the bytes that all sessions hold.
class Held {
 public:
  explicit Held(std::uint64_t& total) : total_(total) {}
  ~Held() { release(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  void add(std::uint64_t bytes) {
    total_ += bytes;
    mine_ += bytes;
  }
  void release() { total_ -= std::exchange(mine_, 0); }

 private:
  std::uint64_t& total_;
  std::uint64_t mine_ = 0;
};

/// One connection: reads a request, has it answered, and again, until either side
/// has enough. Its coroutine keeps it alive.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(HttpServer::State& server, tcp::socket socket)
      : server_(server), socket_(std::move(socket)), timer_(server.io) {
    server_.sessions.insert(this);
  }
  ~Session() { server_.sessions.erase(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  bool is_idle() const { return idle_; }
  Clock::time_point since() const { return since_; }

  /// Ends it from outside: whatever it waits for on the socket fails.
  void close() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
  }

  asio::awaitable<void> run();

  /// For a connection beyond the limit.
  asio::awaitable<void> turn_away();

 private:
  /// From now on, operations on the socket are cancelled after `limit`.
  void allow(std::chrono::milliseconds limit);
  void allow_forever() { ++allowance_; }

  asio::awaitable<bool> wait_for_request();
  asio::awaitable<bool> serve_one();
  asio::awaitable<std::optional<Response>> read_body(Parser& parser, std::uint64_t limit, Bytes& body,
                                                     Held& held);
  asio::awaitable<Response> answer(const Request& request);
  asio::awaitable<bool> write(const Request& request, Response response, unsigned version, bool keep_alive);
  asio::awaitable<void> linger();

  HttpServer::State& server_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_{HttpServer::kMaxHead + kChunk};
  std::uint64_t allowance_ = 0;
  bool timed_out_ = false;
  bool idle_ = true;
  Clock::time_point since_ = Clock::now();
};

void Session::allow(std::chrono::milliseconds limit) {
  timed_out_ = false;
  const std::uint64_t mine = ++allowance_;
  timer_.expires_after(limit);
  timer_.async_wait([self = shared_from_this(), mine](error_code error) {
    // The timer may have fired just before it was set anew.
    if (error || mine != self->allowance_) return;
    self->timed_out_ = true;
    error_code ignored;
    std::ignore = self->socket_.cancel(ignored);
  });
}

asio::awaitable<void> Session::run() {
  try {
    for (bool more = true; more && !server_.stopping;) {
      more = co_await wait_for_request();
      if (more) more = co_await serve_one();
    }
  } catch (const std::exception& error) {
    spdlog::error("a session failed: {}", error.what());
  }
  timer_.cancel();
  close();
}

asio::awaitable<void> Session::turn_away() {
  idle_ = false;
  allow(kLinger);
  Request request;
  request.id = make_uuid7();
  Response busy = problem({ErrorCode::kBusy, "too many connections"});
  co_await write(request, std::move(busy), 11, false);
  timer_.cancel();
  close();
}

asio::awaitable<bool> Session::wait_for_request() {
  if (buffer_.size() != 0) co_return true;
  idle_ = true;
  since_ = Clock::now();
  allow(server_.options.idle_timeout);
  const auto [error, size] = co_await socket_.async_read_some(buffer_.prepare(4096), kQuietly);
  idle_ = false;
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

  allow(server_.options.header_timeout);
  const auto [error, unused] = co_await http::async_read_header(socket_, buffer_, parser, kQuietly);
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
      Request request;
      request.id = make_uuid7();
      if (co_await write(request, std::move(*refusal), 11, false)) co_await linger();
    }
    co_return false;
  }

  Request request = make_request(parser.get());
  request.abandoned = server_.abandon.get_token();
  const unsigned version = parser.get().version();
  Admission admission = server_.handler->admit(request);
  std::optional<Response> refusal = std::move(admission.refusal);
  const bool has_body = !parser.is_done();
  if (!refusal && parser.content_length().value_or(0) > admission.max_body)
    refusal = body_too_large(admission.max_body);

  Bytes body;
  Held held(server_.buffered);
  if (!refusal && has_body) {
    const std::string* expect = request.header("Expect");
    if (expect != nullptr && !same_name(*expect, "100-continue"))
      refusal = problem(417, {ErrorCode::kInvalidArgument, "this expectation is not understood"});
    else
      refusal = co_await read_body(parser, admission.max_body, body, held);
  }
  request.body = body;

  // A body left unread would be taken for the next request.
  const bool unread = has_body && refusal.has_value();
  Response response;
  if (refusal) {
    response = std::move(*refusal);
  } else {
    allow_forever();
    response = co_await answer(request);
  }
  request.body = {};
  body = Bytes();
  held.release();

  const bool keep_alive = parser.keep_alive() && !unread && !server_.stopping;
  if (!co_await write(request, std::move(response), version, keep_alive)) co_return false;
  if (unread) co_await linger();
  co_return keep_alive;
}

/// Appends the body to `body`; the answer that refuses it where it cannot be taken.
asio::awaitable<std::optional<Response>> Session::read_body(Parser& parser, std::uint64_t limit, Bytes& body,
                                                            Held& held) {
  allow(server_.options.body_timeout);
  if (const auto expect = parser.get().find(http::field::expect);
      expect != parser.get().end() && buffer_.size() == 0) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    // A client that is gone shows when its body is read.
    co_await asio::async_write(socket_, asio::buffer(kContinue), kQuietly);
  }
  // Memory that is reserved costs nothing until bytes arrive in it.
  body.reserve(parser.content_length().value_or(0));
  Bytes chunk(kChunk);
  while (!parser.is_done()) {
    auto& target = parser.get().body();
    target.data = chunk.data();
    target.size = chunk.size();
    const auto [error, unused] = co_await http::async_read_some(socket_, buffer_, parser, kQuietly);
    const std::size_t received = chunk.size() - target.size;
    body.insert(body.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(received));
    if (timed_out_) co_return problem({ErrorCode::kTimeout, "the request's body did not come in time"});
    if (error && error != http::error::need_buffer)
      co_return problem({ErrorCode::kInvalidArgument, "the request's body is broken off or malformed"});
    if (body.size() > limit) co_return body_too_large(limit);
    held.add(received);
    if (server_.buffered > server_.options.max_buffered)
      co_return problem({ErrorCode::kBusy, "too many uploads at one time"});
  }
  co_return std::nullopt;
}

asio::awaitable<Response> Session::answer(const Request& request) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      [this, &request](auto completion) {
        // A std::function has to be copyable, a coroutine's completion is not.
        auto waiting = std::make_shared<decltype(completion)>(std::move(completion));
        server_.handler->handle(request, [waiting, executor = socket_.get_executor()](Response response) {
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
  allow(server_.options.write_timeout);
  const std::string_view body = response.body_view();
  const auto fill_head = [&](auto& message) {
    message.result(static_cast<unsigned>(response.status));
    message.version(version);
    message.keep_alive(keep_alive);
    message.set(http::field::date, http_date(std::chrono::system_clock::now()));
    message.set("X-Request-Id", request.id);
    for (const Header& header : server_.options.headers) message.set(header.name, header.value);
    for (const Header& header : response.headers) message.set(header.name, header.value);
    // RFC 9110, section 8.6: none in a 204; with 304, that of the answer left out.
    if (response.status != 204 && response.status != 304) message.content_length(body.size());
  };
  error_code error;
  if (request.method == "HEAD" || body.empty()) {
    http::response<http::empty_body> message;
    fill_head(message);
    std::tie(error, std::ignore) = co_await http::async_write(socket_, message, kQuietly);
  } else {
    http::response<http::span_body<const char>> message;
    message.body() = {body.data(), body.size()};
    fill_head(message);
    std::tie(error, std::ignore) = co_await http::async_write(socket_, message, kQuietly);
  }
  const std::chrono::duration<double, std::milli> spent = Clock::now() - since_;
  // What a client calls its method may be anything.
  const std::string_view method =
      http::string_to_verb(request.method) == http::verb::unknown ? "-" : std::string_view(request.method);
  spdlog::info("{} {} {} {} B {:.1f} ms {}{}", method, response.route, response.status, body.size(),
               spent.count(), request.id, error ? " (client gone)" : "");
  co_return !error;
}

/// Lets the client read the last answer: a socket closed with bytes unread takes
/// what is still on its way along (RFC 9112, section 9.6).
asio::awaitable<void> Session::linger() {
  error_code ignored;
  std::ignore = socket_.shutdown(tcp::socket::shutdown_send, ignored);
  allow(kLinger);
  buffer_.consume(buffer_.size());
  for (;;) {
    const auto [error, size] = co_await socket_.async_read_some(buffer_.prepare(kChunk), kQuietly);
    if (error) co_return;
  }
}

}  // namespace

asio::awaitable<void> HttpServer::State::accept() {
  while (!stopping) {
    auto [error, socket] = co_await acceptor.async_accept(kQuietly);
    if (stopping) co_return;
    if (error) {
      // Out of descriptors or memory, mostly: it passes once some session ends.
      spdlog::warn("cannot accept a connection: {}", error.message());
      asio::steady_timer pause(io, kAcceptPause);
      co_await pause.async_wait(kQuietly);
      continue;
    }
    error_code ignored;
    std::ignore = socket.set_option(tcp::no_delay(true), ignored);
    bool room = sessions.size() < options.max_connections;
    if (!room) {
      // The connection that has waited longest for nothing makes way.
      Session* oldest = nullptr;
      for (Session* session : sessions)
        if (session->is_idle() && (oldest == nullptr || session->since() < oldest->since())) oldest = session;
      room = oldest != nullptr;
      if (room) oldest->close();
    }
    const auto session = std::make_shared<Session>(*this, std::move(socket));
    const auto live = [session, room]() -> asio::awaitable<void> {
      if (room)
        co_await session->run();
      else
        co_await session->turn_away();
    };
    asio::co_spawn(io, live, asio::detached);
  }
}

void HttpServer::State::await_signal() {
  signals.async_wait([this](error_code error, int) {
    if (error) return;
    if (stopping)
      cut_off();
    else
      begin_stop();
    await_signal();
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
  abandon.request_stop();
  for (Session* session : sessions) session->close();
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
  return "http://" + (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
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
  asio::post(state_->io, [state = state_.get()] { state->begin_stop(); });
}

}  // namespace xray
