#include "load/generator.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "serve/http/http_server.h"

namespace xray::load {
namespace {

using std::chrono::milliseconds;

/// Answers each request as `answer` says, in the server's own thread: one at a time.
class Answers : public Handler {
 public:
  explicit Answers(std::function<Response(int)> answer) : answer_(std::move(answer)) {}

  Admission admit(const Request&) override { return {1U << 20U, std::nullopt}; }
  void handle(const Request&, Reply reply) override { reply(answer_(count_++)); }

 private:
  std::function<Response(int)> answer_;
  int count_ = 0;
};

/// Answers nothing before it is told to.
class Silent : public Handler {
 public:
  Admission admit(const Request&) override { return {1U << 20U, std::nullopt}; }
  void handle(const Request&, Reply reply) override {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(reply));
  }
  void answer() {
    const std::lock_guard lock(mutex_);
    for (const Reply& reply : waiting_) reply({200});
  }

 private:
  std::mutex mutex_;
  std::vector<Reply> waiting_;
};

/// A server on a free port of loopback, in a thread of its own.
class Running {
 public:
  explicit Running(Handler& handler, HttpOptions options = {}) {
    options.port = 0;
    server_ = HttpServer::listen(options).value();
    // A line per request would be most of the work.
    spdlog::set_level(spdlog::level::warn);
    thread_ = std::jthread([this, &handler] { server_->run(handler); });
  }
  ~Running() { server_->stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Target target() const { return {"127.0.0.1", server_->port(), "/"}; }

 private:
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;
};

std::vector<std::string> one_request(const std::string& more_head = "") {
  return {"POST / HTTP/1.1\r\nHost: localhost\r\n" + more_head + "Content-Length: 2\r\n\r\nhi"};
}

LoadOptions short_run() {
  return {.connections = 2, .warm_up = milliseconds(20), .measured = milliseconds(200)};
}

Response ok(int) {
  return {200, {}, "yes"};
}

TEST(ClosedLoop, CountsAnswersOfEachStatus) {
  Answers handler([](int count) { return Response{count % 2 == 0 ? 201 : 503}; });
  const Running server(handler);
  const LoadReport report = generate_load(server.target(), one_request(), short_run()).value();
  EXPECT_GT(report.accepted, 10U);
  EXPECT_EQ(report.by_status.size(), 2U);
  EXPECT_EQ(report.by_status.at(201), report.accepted);
  EXPECT_NEAR(static_cast<double>(report.by_status.at(503)), static_cast<double>(report.accepted), 2.0);
  EXPECT_EQ(report.accepted_latency.count, report.accepted);
  EXPECT_EQ(report.other_latency.count, report.by_status.at(503));
  EXPECT_NEAR(report.seconds, 0.2, 0.1);
  EXPECT_NEAR(report.accepted_per_second() * report.seconds, static_cast<double>(report.accepted), 1e-6);
  EXPECT_EQ(report.refused + report.dropped + report.timed_out, 0U);
  EXPECT_GT(report.bytes_sent, report.accepted * one_request()[0].size());
}

TEST(ClosedLoop, EndsAfterAsManyRequestsAsItWasTold) {
  Answers handler(ok);
  const Running server(handler);
  LoadOptions options = short_run();
  options.measured = milliseconds(20'000);
  options.requests = 50;
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_EQ(report.accepted, 50U);
  EXPECT_LT(report.seconds, 10);
}

TEST(ClosedLoop, ConnectsAnewToAServerThatClosesAfterEachAnswer) {
  Answers handler(ok);
  const Running server(handler);
  const LoadReport report =
      generate_load(server.target(), one_request("Connection: close\r\n"), short_run()).value();
  EXPECT_GT(report.accepted, 10U);
  EXPECT_EQ(report.refused + report.dropped + report.timed_out, 0U);
}

TEST(OpenLoop, ReplacesAConnectionThatWasClosedWhileIdle) {
  Answers handler(ok);
  HttpOptions impatient;
  impatient.idle_timeout = milliseconds(100);
  const Running server(handler, impatient);
  LoadOptions options = short_run();
  options.rate = 5;
  options.measured = milliseconds(800);
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_GE(report.accepted, 3U);
  EXPECT_EQ(report.dropped, 0U);
}

TEST(ClosedLoop, CountsRequestsThatAreNotAnsweredInTime) {
  Silent handler;
  const Running server(handler);
  LoadOptions options = short_run();
  options.timeout = milliseconds(50);
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_EQ(report.accepted, 0U);
  EXPECT_GE(report.timed_out, 4U);
  handler.answer();
}

TEST(ClosedLoop, CountsConnectionsThatCannotBeMade) {
  Target nobody;
  {
    Answers handler(ok);
    nobody = Running(handler).target();
  }
  const LoadReport report = generate_load(nobody, one_request(), short_run()).value();
  EXPECT_GT(report.refused, 1U);
  EXPECT_EQ(report.accepted, 0U);
}

TEST(OpenLoop, SendsAtItsRate) {
  Answers handler(ok);
  const Running server(handler);
  LoadOptions options = short_run();
  options.rate = 200;
  options.measured = milliseconds(500);
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_NEAR(static_cast<double>(report.by_status.at(200)), 100.0, 3.0);
}

TEST(OpenLoop, CountsLatencyFromWhenARequestWasDue) {
  // 100 a second are due, 50 a second are answered: each waits 10 ms longer than the one before.
  Answers handler([](int count) {
    std::this_thread::sleep_for(milliseconds(20));
    return ok(count);
  });
  const Running server(handler);
  LoadOptions options{
      .rate = 100, .connections = 1, .warm_up = milliseconds(0), .measured = milliseconds(500)};
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_EQ(report.accepted_latency.count, 50U);
  EXPECT_GT(report.accepted_latency.max, 300);
  EXPECT_GT(report.accepted_latency.p50, 150);
  // What is answered after the measured time is no throughput.
  EXPECT_LT(report.accepted, 30U);
}

TEST(OpenLoop, GivesUpOnWhatNeverGotItsTurn) {
  Silent handler;
  const Running server(handler);
  LoadOptions options = short_run();
  options.rate = 100;
  options.timeout = milliseconds(60);
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_NEAR(static_cast<double>(report.timed_out), 20.0, 2.0);
  handler.answer();
}

TEST(Load, WatchesTheServersProcesses) {
  Answers handler(ok);
  const Running server(handler);
  LoadOptions options = short_run();
  options.server = ::getpid();
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  ASSERT_TRUE(report.server);
  const ServerUsage usage = report.server.value_or(ServerUsage{});
  EXPECT_EQ(usage.last.processes, 1);
  EXPECT_GE(usage.last.cpu_seconds, usage.first.cpu_seconds);
  EXPECT_GT(usage.highest_rss_bytes, 0U);
  const auto json = to_json(report);
  EXPECT_GT(json["server"]["rss_mib"]["last"].get<double>(), 1.0);
  EXPECT_GT(json["accepted_per_second"].get<double>(), 1.0);
}

TEST(Load, LetsSlowClientsBeCutOffBesideTheOthers) {
  Answers handler(ok);
  HttpOptions strict;
  strict.header_timeout = milliseconds(100);
  strict.body_timeout = milliseconds(100);
  const Running server(handler, strict);
  LoadOptions options = short_run();
  options.measured = milliseconds(1'400);
  options.slow_clients = 4;
  options.slow_kinds = {SlowKind::kHead, SlowKind::kBody};
  const LoadReport report = generate_load(server.target(), one_request(), options).value();
  EXPECT_GE(report.slow.opened, 4U);
  EXPECT_GE(report.slow.cut_off, 4U);
  EXPECT_GT(report.accepted, 100U);
}

TEST(Load, RefusesOptionsThatMakeNoSense) {
  const Target target{"127.0.0.1", 1, "/"};
  EXPECT_FALSE(generate_load(target, {}, {}));
  EXPECT_FALSE(generate_load(target, one_request(), {.connections = 0}));
  EXPECT_FALSE(generate_load(target, one_request(), {.rate = -1}));
  EXPECT_FALSE(generate_load({"no such host", 1, "/"}, one_request(), {}));
}

}  // namespace
}  // namespace xray::load
