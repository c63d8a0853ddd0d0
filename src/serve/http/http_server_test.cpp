#include "serve/http/http_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include "serve/http/problem.h"
#include "serve/http/test_client.h"

namespace xray::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Says what it was sent; /slow answers only when told to, /full refuses by the head alone.
class EchoHandler : public Handler {
 public:
  Admission admit(const Request& head) override {
    if (head.path == "/refuse") return {0, problem({ErrorCode::kNotFound, "no"})};
    if (head.path == "/full") return {2U << 20U, busy("later", milliseconds(2'500))};
    return {1000, std::nullopt};
  }

  void handle(const Request& request, Reply reply) override {
    if (request.path == "/slow") {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(reply));
      abandoned_ = request.abandoned;
      return;
    }
    const std::string body(reinterpret_cast<const char*>(request.body.data()), request.body.size());
    reply({200, {{"Content-Type", "text/plain"}}, request.method + " " + request.path + " " + body});
  }

  int waiting() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(waiting_.size());
  }

  /// Whether the last slow request has been given up.
  bool abandoned() {
    const std::lock_guard lock(mutex_);
    return abandoned_.stop_requested();
  }

  void answer_slow() {
    const std::lock_guard lock(mutex_);
    for (const Reply& reply : waiting_) reply({200, {}, "at last"});
    waiting_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<Reply> waiting_;
  std::stop_token abandoned_;
};

/// A server on a free port of loopback, in a thread of its own.
class Running {
 public:
  explicit Running(HttpOptions options = {}) {
    options.port = 0;
    options.headers = {{"X-Common", "yes"}};
    server_ = HttpServer::listen(options).value();
    thread_ = std::jthread([this] { server_->run(handler); });
  }
  ~Running() {
    handler.answer_slow();
    server_->stop();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  std::uint16_t port() const { return server_->port(); }
  HttpLoad load() const { return server_->load(); }
  void stop() { server_->stop(); }
  void join() { thread_.join(); }
  void wait_for_slow(int count) {
    while (handler.waiting() < count) std::this_thread::sleep_for(milliseconds(1));
  }

  EchoHandler handler;

 private:
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;
};

TEST(HttpServer, AnswersOneRequestAfterAnotherOnOneConnection) {
  const Running server;
  TestClient client(server.port());
  EXPECT_EQ(client.request("GET", "/a").body, "GET /a ");
  EXPECT_EQ(client.request("POST", "/b?x=1", {}, "hello").body, "POST /b hello");
  EXPECT_EQ(client.request("GET", "/refuse").status, 404);
  EXPECT_EQ(client.request("GET", "/c").body, "GET /c ");
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  const Running server;
  TestClient client(server.port());
  client.send(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"
      "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.receive().body, "GET /1 ");
  EXPECT_EQ(client.receive().body, "POST /2 hi");
  EXPECT_EQ(client.receive().body, "GET /3 ");
}

TEST(HttpServer, ReadsChunkedBodies) {
  const Running server;
  TestClient client(server.port());
  client.send(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.receive().body, "POST / abcde");
  EXPECT_EQ(client.request("GET", "/next").body, "GET /next ");
}

TEST(HttpServer, ClosesWhenAskedTo) {
  const Running server;
  TestClient client(server.port());
  const Answer answer = client.request("GET", "/", {{"Connection", "close"}});
  EXPECT_EQ(answer.header("Connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, AnswersHeadWithTheLengthAlone) {
  const Running server;
  TestClient client(server.port());
  const Answer answer = client.request("HEAD", "/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "8");
  EXPECT_EQ(client.request("GET", "/next").body, "GET /next ");
}

TEST(HttpServer, PutsTheCommonFieldsOnEveryAnswer) {
  const Running server;
  for (const char* path : {"/", "/refuse"}) {
    TestClient client(server.port());
    const Answer answer = client.request("GET", path);
    EXPECT_EQ(answer.header("X-Common"), "yes");
    EXPECT_FALSE(answer.header("Date").empty());
    EXPECT_FALSE(answer.header("X-Request-Id").empty());
  }
  TestClient client(server.port());
  client.send("garbage\r\n\r\n");
  EXPECT_EQ(client.receive().header("X-Common"), "yes");
}

TEST(HttpServer, EchoesRequestIdsThatAreSafe) {
  const Running server;
  TestClient client(server.port());
  EXPECT_EQ(client.request("GET", "/", {{"X-Request-Id", "abc-1.2_3"}}).header("X-Request-Id"), "abc-1.2_3");
  EXPECT_EQ(client.request("GET", "/", {{"X-Request-Id", "a b;<script>"}}).header("X-Request-Id").size(),
            36U);
}

TEST(HttpServer, AnswersGarbageWith400AndCloses) {
  const Running server;
  for (const char* garbage :
       {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "GET / HTTP/1.1\r\nHo st: h\r\n\r\n", "GET /\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"}) {
    TestClient client(server.port());
    client.send(garbage);
    EXPECT_EQ(client.receive().status, 400) << garbage;
    EXPECT_TRUE(client.closed()) << garbage;
  }
}

TEST(HttpServer, AnswersGarbageAfterAGoodRequestToo) {
  const Running server;
  TestClient client(server.port());
  client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\nutter garbage\r\n\r\n");
  EXPECT_EQ(client.receive().body, "GET /a ");
  EXPECT_EQ(client.receive().status, 400);
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, RefusesABrokenChunk) {
  const Running server;
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  EXPECT_EQ(client.receive().status, 400);
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, BoundsTheHead) {
  const Running server;
  TestClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + std::string(20'000, 'a') + "\r\n\r\n");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 431);
  EXPECT_EQ(answer.json().at("code"), "too_large");
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, RefusesALargeBodyByItsLengthBeforeItComes) {
  const Running server;
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(answer.json().at("status"), 413);
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, KeepsTheConnectionOfAnUploadThatIsRefusedByItsHead) {
  const Running server;
  TestClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    const Answer answer = client.request("POST", "/full", {}, std::string(700'000, 'x'));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.header("Retry-After"), "3");
    EXPECT_NE(answer.header("Connection"), "close");
  }
  EXPECT_EQ(client.request("GET", "/next").body, "GET /next ");
}

TEST(HttpServer, AnswersARefusalBeforeTheBodyComes) {
  const Running server;
  TestClient client(server.port());
  client.send("POST /full HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.receive().status, 503);
  client.send("abcGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.receive().body, "GET /next ");
}

TEST(HttpServer, ClosesAfterARefusalWhoseBodyIsLargeOrWaitsToBeAskedFor) {
  const Running server;
  for (const char* fields : {"Content-Length: 1100000", "Content-Length: 3\r\nExpect: 100-continue",
                             "Transfer-Encoding: chunked"}) {
    TestClient client(server.port());
    client.send("POST /full HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n\r\n");
    EXPECT_EQ(client.receive().status, 503) << fields;
    EXPECT_TRUE(client.closed()) << fields;
  }
}

TEST(HttpServer, RefusesALargeBodyInChunks) {
  const Running server;
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
              std::string(1001, 'x') + "\r\n0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 413);
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, LetsAClientThatIsStillSendingReadTheRefusal) {
  const Running server;
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
  const std::string part(100'000, 'x');
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(client.send(part)) << i;
  EXPECT_EQ(client.receive().status, 413);
}

TEST(HttpServer, AsksForABodyThatWaitsToBeAskedFor) {
  const Running server;
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send("hi");
  EXPECT_EQ(client.receive().body, "POST / hi");
  client.send("POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.receive().status, 404);
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, RefusesOtherExpectations) {
  const Running server;
  TestClient client(server.port());
  EXPECT_EQ(client.request("POST", "/", {{"Expect", "miracles"}}, "x").status, 417);
}

TEST(HttpServer, CutsOffAHeadThatDripsIn) {
  HttpOptions options;
  options.header_timeout = milliseconds(600);
  const Running server(options);
  TestClient slow(server.port());
  slow.send("GET / HTTP/1.1\r\nHo");
  const auto begin = Clock::now();
  std::jthread drip([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && slow.send("a")) std::this_thread::sleep_for(milliseconds(20));
  });
  // Nobody else waits for the slow one.
  TestClient quick(server.port());
  EXPECT_EQ(quick.request("GET", "/quick").body, "GET /quick ");
  EXPECT_LT(Clock::now() - begin, milliseconds(500));
  EXPECT_EQ(slow.receive().status, 408);
  EXPECT_GE(Clock::now() - begin, milliseconds(500));
}

TEST(HttpServer, CutsOffABodyThatDripsIn) {
  HttpOptions options;
  options.body_timeout = milliseconds(200);
  const Running server(options);
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.json().at("code"), "timeout");
  EXPECT_TRUE(client.closed());
}

TEST(HttpServer, CutsOffABodyThatComesMoreSlowlyThanTheLeastRate) {
  HttpOptions options;
  options.min_rate = 100;
  options.max_lag = milliseconds(500);
  const Running server(options);
  const auto send_slowly = [&](TestClient& client, std::size_t piece, int pieces) {
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < pieces && client.send(std::string(piece, 'x')); ++i)
      std::this_thread::sleep_for(milliseconds(20));
    return client.receive().status;
  };
  TestClient slow(server.port());
  EXPECT_EQ(send_slowly(slow, 1, 150), 408);
  TestClient steady(server.port());
  EXPECT_EQ(send_slowly(steady, 20, 50), 200) << "for longer than the lag allowed";
}

TEST(HttpServer, ClosesIdleConnectionsWithoutAWord) {
  HttpOptions options;
  options.idle_timeout = milliseconds(100);
  const Running server(options);
  TestClient client(server.port());
  EXPECT_EQ(client.request("GET", "/a").status, 200);
  EXPECT_TRUE(client.closed());
}

/// Answers with far more than the sockets' buffers hold.
class FloodHandler : public Handler {
 public:
  static constexpr std::size_t kSize = 32U << 20U;
  Admission admit(const Request&) override { return {}; }
  void handle(const Request& request, Reply reply) override {
    reply({200, {}, std::string(request.path == "/small" ? 1 : kSize, 'x')});
  }
};

/// A server of floods.
class Flooding {
 public:
  explicit Flooding(HttpOptions options) {
    options.port = 0;
    server_ = HttpServer::listen(options).value();
    thread_ = std::jthread([this] { server_->run(handler_); });
  }
  ~Flooding() { server_->stop(); }
  Flooding(const Flooding&) = delete;
  Flooding& operator=(const Flooding&) = delete;
  std::uint16_t port() const { return server_->port(); }

 private:
  FloodHandler handler_;
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;
};

TEST(HttpServer, CutsOffAClientThatDoesNotReadItsAnswer) {
  HttpOptions by_time;
  by_time.write_timeout = milliseconds(200);
  // What the sockets' buffers took at once does not excuse a standstill.
  HttpOptions by_rate;
  by_rate.max_lag = milliseconds(200);
  for (const HttpOptions& options : {by_time, by_rate}) {
    const Flooding server(options);
    TestClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(500));
    EXPECT_THROW(client.receive(), std::runtime_error);
  }
}

TEST(HttpServer, BoundsTheMemoryOfAnswersThatNobodyTakes) {
  HttpOptions options;
  options.max_buffered = FloodHandler::kSize * 2;
  const auto ask_beside_hoarders = [](const HttpOptions& chosen) {
    const Flooding server(chosen);
    TestClient first(server.port());
    TestClient second(server.port());
    for (TestClient* hoarder : {&first, &second}) hoarder->send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(500));
    TestClient third(server.port());
    EXPECT_EQ(third.request("GET", "/small").status, 200);
    return third.request("GET", "/").status;
  };
  options.lag_when_full = std::chrono::hours(1);
  EXPECT_EQ(ask_beside_hoarders(options), 503) << "nobody has stood still for long enough";
  options.lag_when_full = milliseconds(50);
  EXPECT_EQ(ask_beside_hoarders(options), 200) << "one of those who stand still has made way";
}

TEST(HttpServer, GivesUpARequestWhoseClientIsGone) {
  Running server;
  {
    TestClient client(server.port());
    client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    server.wait_for_slow(1);
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_FALSE(server.handler.abandoned());
  }
  for (int i = 0; i < 500 && !server.handler.abandoned(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(server.handler.abandoned());
}

TEST(HttpServer, GivesNothingUpForAClientThatSendsItsNextRequest) {
  Running server;
  TestClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  server.wait_for_slow(1);
  client.send("GET /third HTTP/1.1\r\nHost: h\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(server.handler.abandoned());
  server.handler.answer_slow();
  EXPECT_EQ(client.receive().body, "at last");
  EXPECT_EQ(client.receive().body, "GET /next ");
  EXPECT_EQ(client.receive().body, "GET /third ");
}

TEST(HttpServer, DoesNotTimeOutWhileARequestIsWorkedOn) {
  HttpOptions options;
  options.header_timeout = options.body_timeout = options.idle_timeout = milliseconds(50);
  Running server(options);
  TestClient client(server.port());
  client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  server.wait_for_slow(1);
  std::this_thread::sleep_for(milliseconds(150));
  server.handler.answer_slow();
  EXPECT_EQ(client.receive().body, "at last");
}

TEST(HttpServer, GivesAFullHouseToNewcomersBeforeIdlers) {
  HttpOptions options;
  options.max_connections = 2;
  Running server(options);
  TestClient busy(server.port());
  busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  server.wait_for_slow(1);
  TestClient idle(server.port());
  EXPECT_EQ(idle.request("GET", "/idle").status, 200);
  TestClient newcomer(server.port());
  EXPECT_EQ(newcomer.request("GET", "/new").status, 200);
  EXPECT_TRUE(idle.closed());
  server.handler.answer_slow();
  EXPECT_EQ(busy.receive().body, "at last");
}

TEST(HttpServer, GivesAFullHouseToNewcomersBeforeTheSlow) {
  HttpOptions options;
  options.max_connections = 3;
  options.lag_when_full = milliseconds(100);
  const Flooding server(options);
  TestClient in_head(server.port());
  in_head.send("GET / HT");
  TestClient in_answer(server.port());
  in_answer.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  TestClient silent(server.port());
  std::this_thread::sleep_for(milliseconds(300));
  for (int i = 0; i < 20; ++i) {
    TestClient newcomer(server.port());
    EXPECT_EQ(newcomer.request("GET", "/small").status, 200) << i;
  }
  // The one that is idle makes way first, then newcomers that have ended leave room.
  std::vector<std::unique_ptr<TestClient>> crowd;
  for (int i = 0; i < 3; ++i) {
    crowd.push_back(std::make_unique<TestClient>(server.port()));
    EXPECT_EQ(crowd.back()->request("GET", "/small").status, 200) << i;
  }
  EXPECT_TRUE(in_head.closed());
}

TEST(HttpServer, TurnsNewcomersAwayWhenAllAreBusy) {
  HttpOptions options;
  options.max_connections = 2;
  Running server(options);
  TestClient first(server.port());
  TestClient second(server.port());
  for (TestClient* client : {&first, &second}) client->send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  server.wait_for_slow(2);
  TestClient third(server.port());
  third.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x'));
  const Answer answer = third.receive();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_TRUE(third.closed());
}

TEST(HttpServer, BoundsTheMemoryOfAllBodiesTogether) {
  HttpOptions options;
  options.max_buffered = 1500;
  const Running server(options);
  TestClient first(server.port());
  TestClient second(server.port());
  first.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + std::string(900, 'x'));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(second.request("POST", "/", {}, std::string(900, 'y')).status, 503);
  first.send(std::string(100, 'x'));
  EXPECT_EQ(first.receive().status, 200);
  // What was held has been given back.
  TestClient third(server.port());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(third.request("POST", "/", {}, std::string(1000, 'z')).status, 200);
}

TEST(HttpServer, AcceptsAgainOnceThereAreDescriptors) {
  Running server;
  TestClient before(server.port());
  before.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  server.wait_for_slow(1);
  TestClient waiting;
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  // Nothing may be opened any more, by accept() neither; what is open stays.
  const rlimit none{3, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  waiting.connect(server.port());
  waiting.send("GET /waited HTTP/1.1\r\nHost: h\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(50));
  server.handler.answer_slow();
  EXPECT_EQ(before.receive().body, "at last");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(waiting.receive().body, "GET /waited ");
}

TEST(HttpServer, FinishesARunningRequestWhenStopped) {
  Running server;
  TestClient client(server.port());
  TestClient idle(server.port());
  EXPECT_EQ(idle.request("GET", "/").status, 200);
  client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  server.wait_for_slow(1);
  server.stop();
  EXPECT_TRUE(idle.closed());
  EXPECT_THROW(TestClient(server.port()).request("GET", "/"), std::runtime_error);
  server.handler.answer_slow();
  const Answer answer = client.receive();
  EXPECT_EQ(answer.body, "at last");
  EXPECT_EQ(answer.header("Connection"), "close");
  server.join();
}

TEST(HttpServer, DrainsNoLongerThanItMay) {
  HttpOptions options;
  options.drain_timeout = milliseconds(100);
  Running server(options);
  TestClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nnever more");
  TestClient other(server.port());
  EXPECT_EQ(other.request("GET", "/").status, 200);
  const auto begin = Clock::now();
  server.stop();
  server.join();
  EXPECT_LT(Clock::now() - begin, milliseconds(2000));
}

TEST(HttpServer, TellsAnAddressInUse) {
  const Running server;
  HttpOptions options;
  options.port = server.port();
  const auto second = HttpServer::listen(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST(HttpServer, TellsAHostThatIsNone) {
  HttpOptions options;
  options.host = "999.1.1.1.invalid";
  EXPECT_EQ(HttpServer::listen(options).error().code, ErrorCode::kInvalidArgument);
}

TEST(HttpServer, KnowsItsUrlAndWhoCanReachIt) {
  HttpOptions options;
  options.port = 0;
  const auto loopback = HttpServer::listen(options).value();
  EXPECT_EQ(loopback->url(), "http://127.0.0.1:" + std::to_string(loopback->port()));
  EXPECT_TRUE(loopback->is_loopback());
  options.host = "0.0.0.0";
  EXPECT_FALSE(HttpServer::listen(options).value()->is_loopback());
}

TEST(HttpServer, TakesTheCallersTraceOverAndNamesItsOwnPart) {
  const Running server;
  TestClient client(server.port());
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string caller = "00-" + trace + "-00f067aa0ba902b7-01";
  const std::string given = client.request("GET", "/", {{"traceparent", caller}}).header("traceparent");
  EXPECT_TRUE(given.starts_with("00-" + trace + "-")) << given;
  EXPECT_NE(given, caller);
  for (const std::vector<Header>& headers : {std::vector<Header>{},
                                             {{"traceparent", caller + "x"}},
                                             {{"traceparent", caller}, {"traceparent", caller}}}) {
    const std::string made = client.request("GET", "/", headers).header("traceparent");
    EXPECT_TRUE(parse_traceparent(made)) << made;
    EXPECT_EQ(made.find(trace), std::string::npos);
  }
}

TEST(HttpServer, TellsHowMuchGoesOnAndWhatCameOfIt) {
  struct Seen final : HttpObserver {
    void on_exchange(const Exchange& exchange) override {
      const std::lock_guard lock(mutex);
      all.push_back(std::string(exchange.method) + " " + std::to_string(exchange.status) + " " +
                    std::to_string(exchange.bytes));
    }
    std::mutex mutex;
    std::vector<std::string> all;
  } seen;
  HttpOptions options;
  options.max_buffered = 10;
  options.observer = &seen;
  Running server(options);
  TestClient slow(server.port());
  slow.send("POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
  server.wait_for_slow(1);
  EXPECT_EQ(server.load().connections, 1U);
  EXPECT_EQ(server.load().running, 1U);
  EXPECT_EQ(server.load().buffered, 4U);
  EXPECT_EQ(TestClient(server.port()).request("POST", "/", {}, "seven..").status, 503);
  EXPECT_EQ(server.load().refused_for_memory, 1U);
  server.handler.answer_slow();
  EXPECT_EQ(slow.receive().body, "at last");
  EXPECT_EQ(TestClient(server.port()).request("BREW", "/refuse").status, 404);
  while (server.load().running > 0) std::this_thread::yield();
  const std::lock_guard lock(seen.mutex);
  ASSERT_EQ(seen.all.size(), 3U);
  EXPECT_EQ(seen.all[1], "POST 200 7");
  EXPECT_TRUE(seen.all[2].starts_with("- 404 ")) << seen.all[2];
}

TEST(HttpServer, GoesOnForAWhileOnceToldToStop) {
  std::atomic<int> told{0};
  HttpOptions options;
  options.stop_delay = milliseconds(300);
  options.on_told_to_stop = [&] { ++told; };
  Running server(options);
  server.stop();
  while (told == 0) std::this_thread::yield();
  EXPECT_EQ(TestClient(server.port()).request("GET", "/a").status, 200);
  server.stop();
  server.join();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace xray::test
