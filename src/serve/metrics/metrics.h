#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http/http_server.h"
#include "serve/http/router.h"
#include "serve/models/model_set.h"

namespace xray {

/// Names and values, in any order.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Values that are read when somebody asks, instead of being counted as things happen. Samples of
/// one name have the same help and kind; the names of their labels are the same, too.
class Gathered {
 public:
  struct Sample {
    std::string name;
    std::string help;
    bool counts_up = false;
    MetricLabels labels;
    double value = 0;
  };

  void gauge(std::string name, std::string help, double value, MetricLabels labels = {});
  void counter(std::string name, std::string help, double value, MetricLabels labels = {});

  std::span<const Sample> samples() const { return samples_; }

 private:
  std::vector<Sample> samples_;
};

/// Called on the thread that asks, and perhaps on several at one time.
using MetricSource = std::function<void(Gathered&)>;

/// Counts what the server does and tells it as Prometheus reads it (docs/observability.md has the
/// list). Labels hold what the program itself knows, routes by their patterns, models by name and
/// version: never what a client wrote. Thread-safe, but for add_source().
class Metrics final : public FindingObserver, public HttpObserver {
 public:
  Metrics();
  ~Metrics() override;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void on_finding(const ServedModel& model, std::span<const std::byte> picture,
                  const Result<Finding>& finding) override;
  void on_exchange(const Exchange& exchange) override;
  /// How long a picture waited before its diagnosis began.
  void on_wait(std::chrono::duration<double> wait);
  /// A call of the store that began at `since`. What an id did not find is no error.
  void on_store(std::string_view operation, std::chrono::steady_clock::time_point since, bool failed);

  /// Before anybody asks; what the source reads outlives this object.
  void add_source(MetricSource source);

  /// The text exposition format, version 0.0.4.
  std::string text() const;

  static constexpr std::string_view kMediaType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// GET /metrics. `metrics` outlives it.
Route metrics_route(const Metrics& metrics);

}  // namespace xray
