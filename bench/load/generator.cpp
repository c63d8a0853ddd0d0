#include "load/generator.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <deque>
#include <memory>
#include <string_view>

#include "load/connection.h"

namespace xray::load {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

/// How often the server's memory is looked at.
constexpr milliseconds kSampling{1'000};
/// Before a client tries again that got no connection.
constexpr milliseconds kRetry{20};

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One run. Everything happens in the thread that calls run().
class Generator {
 public:
  Generator(const Target& target, const tcp::endpoint& server, const std::vector<std::string>& requests,
            const LoadOptions& options)
      : target_(target), server_(server), requests_(requests), options_(options) {}

  LoadReport run() {
    const double cpu_before = own_cpu_seconds();
    begin_ = Clock::now();
    from_ = begin_ + options_.warm_up;
    until_ = from_ + options_.measured;
    asio::co_spawn(io_, watch(), asio::detached);
    for (int i = 0; i < options_.slow_clients; ++i) {
      const SlowKind kind = options_.slow_kinds[static_cast<std::size_t>(i) % options_.slow_kinds.size()];
      asio::co_spawn(io_, slow_client(kind, target_, server_, report_.slow), asio::detached);
    }
    if (is_open_loop()) {
      asio::co_spawn(io_, arrivals(), asio::detached);
    } else {
      for (int i = 0; i < options_.connections; ++i) asio::co_spawn(io_, client(), asio::detached);
    }
    io_.run();
    report_.accepted_latency = accepted_latencies_.summary();
    report_.other_latency = other_latencies_.summary();
    report_.bytes_sent = traffic_.sent;
    report_.bytes_received = traffic_.received;
    report_.generator_cpu_seconds = own_cpu_seconds() - cpu_before;
    return std::move(report_);
  }

 private:
  bool is_open_loop() const { return options_.rate > 0; }

  std::string_view next_request() { return requests_[next_++ % requests_.size()]; }

  asio::awaitable<void> sleep_until(Clock::time_point when) {
    asio::steady_timer timer(io_, when);
    co_await timer.async_wait(asio::use_awaitable);
  }

  /// A closed loop's client.
  asio::awaitable<void> client() {
    Connection connection(io_, server_, traffic_);
    while (!ended_) {
      const auto start = Clock::now();
      const Outcome outcome = co_await connection.exchange(next_request(), start + options_.timeout);
      count(start, outcome);
      if (outcome.failure == Failure::kRefused) co_await sleep_until(Clock::now() + kRetry);
    }
  }

  /// An open loop's plan.
  asio::awaitable<void> arrivals() {
    for (std::uint64_t i = 0;; ++i) {
      const auto due =
          begin_ + std::chrono::nanoseconds(std::llround(1e9 * static_cast<double>(i) / options_.rate));
      if (due >= until_) break;
      co_await sleep_until(due);
      due_.push_back(due);
      dispatch();
    }
    all_arrived_ = true;
    end_when_answered();
  }

  /// Begins what is due, as far as there are connections.
  void dispatch() {
    while (!due_.empty()) {
      const auto due = due_.front();
      if (Clock::now() >= due + options_.timeout) {
        due_.pop_front();
        count(due, {0, Failure::kTimedOut});
        continue;
      }
      std::unique_ptr<Connection> connection;
      if (!idle_.empty()) {
        connection = std::move(idle_.back());
        idle_.pop_back();
      } else if (busy_ < options_.connections) {
        connection = std::make_unique<Connection>(io_, server_, traffic_);
      } else {
        return;
      }
      due_.pop_front();
      ++busy_;
      asio::co_spawn(io_, serve(std::move(connection), due), asio::detached);
    }
  }

  asio::awaitable<void> serve(std::unique_ptr<Connection> connection, Clock::time_point due) {
    const Outcome outcome = co_await connection->exchange(next_request(), due + options_.timeout);
    count(due, outcome);
    --busy_;
    idle_.push_back(std::move(connection));
    dispatch();
    end_when_answered();
  }

  void end_when_answered() {
    if (all_arrived_ && due_.empty() && busy_ == 0 && ended_) io_.stop();
  }

  void count(Clock::time_point due, const Outcome& outcome) {
    const auto now = Clock::now();
    const bool came_in_time = now >= from_ && now < until_ && !ended_;
    if (came_in_time && outcome.accepted()) ++report_.accepted;
    const bool counts = is_open_loop() ? due >= from_ : came_in_time;
    if (!counts) return;
    switch (outcome.failure) {
      case Failure::kNone:
        ++report_.by_status[outcome.status];
        (outcome.accepted() ? accepted_latencies_ : other_latencies_).add(now - due);
        break;
      case Failure::kRefused:
        ++report_.refused;
        break;
      case Failure::kDropped:
        ++report_.dropped;
        break;
      case Failure::kTimedOut:
        ++report_.timed_out;
        break;
    }
    if (++counted_ == options_.requests && !is_open_loop()) end();
  }

  /// Looks at the server while it is measured, and ends that time.
  asio::awaitable<void> watch() {
    co_await sleep_until(from_);
    sample(&ServerUsage::first);
    for (auto next = from_ + kSampling; next < until_; next += kSampling) {
      co_await sleep_until(next);
      if (report_.server) sample(nullptr);
    }
    co_await sleep_until(until_);
    end();
  }

  void end() {
    if (ended_) return;
    ended_ = true;
    report_.seconds = std::chrono::duration<double>(std::min(Clock::now(), until_) - from_).count();
    if (report_.server && !sample(&ServerUsage::last)) report_.server.reset();
    if (is_open_loop())
      end_when_answered();
    else
      io_.stop();
  }

  /// False where there is no server to look at.
  bool sample(TreeUsage ServerUsage::* which) {
    if (options_.server == 0) return false;
    const auto usage = measure_tree(options_.server, which != nullptr);
    if (!usage) return false;
    if (!report_.server) report_.server.emplace();
    if (which != nullptr) *report_.server.*which = *usage;
    report_.server->highest_rss_bytes = std::max(report_.server->highest_rss_bytes, usage->rss_bytes);
    return true;
  }

  const Target& target_;
  tcp::endpoint server_;
  const std::vector<std::string>& requests_;
  const LoadOptions& options_;

  Clock::time_point begin_;
  Clock::time_point from_;
  Clock::time_point until_;
  std::size_t next_ = 0;
  std::uint64_t counted_ = 0;
  bool ended_ = false;
  Traffic traffic_;
  Latencies accepted_latencies_;
  Latencies other_latencies_;
  LoadReport report_;

  // The open loop's.
  std::deque<Clock::time_point> due_;
  int busy_ = 0;
  bool all_arrived_ = false;

  // Before what is destroyed with it: connections and coroutines that wait.
  asio::io_context io_{1};
  std::vector<std::unique_ptr<Connection>> idle_;
};

nlohmann::ordered_json to_json(const LatencySummary& latency) {
  return {{"count", latency.count}, {"mean", latency.mean}, {"p50", latency.p50}, {"p90", latency.p90},
          {"p99", latency.p99},     {"p999", latency.p999}, {"max", latency.max}};
}

nlohmann::ordered_json to_json(const ServerUsage& usage) {
  const auto mebibytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1U << 20U); };
  return {
      {"processes", usage.last.processes},
      {"cpu_seconds", usage.last.cpu_seconds - usage.first.cpu_seconds},
      {"rss_mib",
       {{"first", mebibytes(usage.first.rss_bytes)},
        {"last", mebibytes(usage.last.rss_bytes)},
        {"highest", mebibytes(usage.highest_rss_bytes)}}},
      {"pss_mib", {{"first", mebibytes(usage.first.pss_bytes)}, {"last", mebibytes(usage.last.pss_bytes)}}}};
}

}  // namespace

nlohmann::ordered_json to_json(const LoadReport& report) {
  nlohmann::ordered_json by_status = nlohmann::ordered_json::object();
  for (const auto& [status, count] : report.by_status) by_status[std::to_string(status)] = count;
  return {{"seconds", report.seconds},
          {"accepted_per_second", report.accepted_per_second()},
          {"accepted", report.accepted},
          {"by_status", by_status},
          {"failures",
           {{"refused", report.refused}, {"dropped", report.dropped}, {"timed_out", report.timed_out}}},
          {"latency_ms",
           {{"accepted", to_json(report.accepted_latency)}, {"other", to_json(report.other_latency)}}},
          {"bytes", {{"sent", report.bytes_sent}, {"received", report.bytes_received}}},
          {"generator_cpu_seconds", report.generator_cpu_seconds},
          {"slow_clients", {{"opened", report.slow.opened}, {"cut_off", report.slow.cut_off}}},
          {"server", report.server ? to_json(*report.server) : nlohmann::ordered_json()}};
}

Result<LoadReport> generate_load(const Target& target, const std::vector<std::string>& requests,
                                 const LoadOptions& options) {
  const auto bad = [](const char* what) { return Error{ErrorCode::kInvalidArgument, what}; };
  if (requests.empty()) return bad("there is nothing to send");
  if (options.connections < 1) return bad("there is no connection to send over");
  if (!(options.rate >= 0) || options.rate > 1e6) return bad("the rate is a number from 0 to 1000000");
  if (options.slow_clients > 0 && options.slow_kinds.empty())
    return bad("slow clients are slow at something");

  asio::io_context resolving;
  tcp::resolver resolver(resolving);
  boost::system::error_code error;
  const auto found =
      resolver.resolve(target.host, std::to_string(target.port), tcp::resolver::numeric_service, error);
  if (error) return Error{ErrorCode::kInvalidArgument, target.host + " names no address: " + error.message()};
  return Generator(target, found.begin()->endpoint(), requests, options).run();
}

}  // namespace xray::load
