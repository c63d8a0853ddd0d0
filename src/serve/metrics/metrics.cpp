#include "serve/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>
#include <tuple>

namespace xray {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

const Buckets kExchangeSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const Buckets kStageSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
const Buckets kShares = {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1};

/// Files of the page carry hashes in their names, another one in every version.
std::string_view route_label(std::string_view route) {
  if (route == "-") return "unmatched";
  return route.starts_with("/assets/") ? "/assets/{file}" : route;
}

prometheus::MetricFamily family_of(const Gathered::Sample& sample) {
  return {sample.name,
          sample.help,
          sample.counts_up ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge,
          {}};
}

prometheus::ClientMetric metric_of(const Gathered::Sample& sample) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
  (sample.counts_up ? metric.counter.value : metric.gauge.value) = sample.value;
  return metric;
}

}  // namespace

void Gathered::gauge(std::string name, std::string help, double value, MetricLabels labels) {
  samples_.push_back({std::move(name), std::move(help), false, std::move(labels), value});
}

void Gathered::counter(std::string name, std::string help, double value, MetricLabels labels) {
  samples_.push_back({std::move(name), std::move(help), true, std::move(labels), value});
}

/// Counters are looked up in maps of our own: the library's Family::Add hashes all labels each time.
struct Metrics::State {
  prometheus::Registry registry;
  Family<Counter>& requests = prometheus::BuildCounter()
                                  .Name("xray_http_requests_total")
                                  .Help("Requests answered or refused.")
                                  .Register(registry);
  Family<Histogram>& request_seconds = prometheus::BuildHistogram()
                                           .Name("xray_http_request_duration_seconds")
                                           .Help("From a request's first byte to its answer's last.")
                                           .Register(registry);
  Family<Counter>& answer_bytes = prometheus::BuildCounter()
                                      .Name("xray_http_response_bytes_total")
                                      .Help("Bytes of answers' bodies.")
                                      .Register(registry);
  Family<Histogram>& stages = prometheus::BuildHistogram()
                                  .Name("xray_stage_duration_seconds")
                                  .Help("Where the time of diagnoses goes.")
                                  .Register(registry);
  Family<Counter>& findings =
      prometheus::BuildCounter().Name("xray_findings_total").Help("Findings by verdict.").Register(registry);
  Family<Histogram>& pneumonia =
      prometheus::BuildHistogram()
          .Name("xray_finding_pneumonia_ratio")
          .Help("Calibrated probability of pneumonia of films that were read, 0 to 1.")
          .Register(registry);
  Family<Counter>& reasons = prometheus::BuildCounter()
                                 .Name("xray_finding_reasons_total")
                                 .Help("Why films were rejected or doubted, or what was done to read them.")
                                 .Register(registry);
  Family<Counter>& failures = prometheus::BuildCounter()
                                  .Name("xray_finding_failures_total")
                                  .Help("Pictures without a finding, by error.")
                                  .Register(registry);
  Family<Counter>& store_errors = prometheus::BuildCounter()
                                      .Name("xray_store_errors_total")
                                      .Help("Calls of the store that failed.")
                                      .Register(registry);
  Histogram& queue_wait = stages.Add({{"stage", "queue_wait"}}, kStageSeconds);
  Histogram& decode = stages.Add({{"stage", "decode"}}, kStageSeconds);
  Histogram& preprocess = stages.Add({{"stage", "preprocess"}}, kStageSeconds);
  Histogram& infer = stages.Add({{"stage", "infer"}}, kStageSeconds);
  Histogram& store = stages.Add({{"stage", "store"}}, kStageSeconds);
  Histogram& total = stages.Add({{"stage", "total"}}, kStageSeconds);

  /// What is counted of one method on one route.
  struct OfRoute {
    Histogram* seconds;
    Counter* bytes;
    std::map<int, Counter*> statuses;
  };
  /// What is counted of one version of a model.
  struct OfModel {
    std::array<Counter*, 4> verdicts;
    Histogram* pneumonia;
    std::map<std::pair<Verdict, Reason>, Counter*> reasons;
    std::map<ErrorCode, Counter*> failures;
  };
  std::mutex mutex;
  std::map<std::tuple<std::string, std::string>, OfRoute, std::less<>> routes;
  std::map<std::tuple<std::string, std::string>, OfModel, std::less<>> models;
  std::map<std::string, Counter*, std::less<>> operations;
  std::vector<MetricSource> sources;

  OfRoute& of_route(std::string_view route, std::string_view method) {
    const auto found = routes.find(std::tie(route, method));
    if (found != routes.end()) return found->second;
    const prometheus::Labels labels = {{"route", std::string(route)}, {"method", std::string(method)}};
    return routes
        .emplace(std::tuple(route, method),
                 OfRoute{&request_seconds.Add(labels, kExchangeSeconds), &answer_bytes.Add(labels), {}})
        .first->second;
  }

  OfModel& of_model(const std::string& name, const std::string& version) {
    const auto found = models.find(std::tie(name, version));
    if (found != models.end()) return found->second;
    const prometheus::Labels labels = {{"model", name}, {"version", version}};
    OfModel made{{}, &pneumonia.Add(labels, kShares), {}, {}};
    for (std::size_t i = 0; i < made.verdicts.size(); ++i) {
      prometheus::Labels with_verdict = labels;
      with_verdict["verdict"] = xray::name(static_cast<Verdict>(i));
      made.verdicts[i] = &findings.Add(with_verdict);
    }
    return models.emplace(std::tuple(name, version), std::move(made)).first->second;
  }
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::on_finding(const ServedModel& model, std::span<const std::byte> /*picture*/,
                         const Result<Finding>& finding) {
  const std::scoped_lock lock(state_->mutex);
  State::OfModel& counted = state_->of_model(model.name, model.version);
  const auto labels = [&](auto... more) {
    return prometheus::Labels{{"model", model.name}, {"version", model.version}, std::move(more)...};
  };
  using Label = std::pair<const std::string, std::string>;
  if (!finding) {
    Counter*& failures = counted.failures[finding.error().code];
    if (failures == nullptr)
      failures = &state_->failures.Add(labels(Label("code", name(finding.error().code))));
    failures->Increment();
    return;
  }
  counted.verdicts.at(static_cast<std::size_t>(finding->verdict))->Increment();
  for (const Reason reason : finding->reasons) {
    Counter*& reasons = counted.reasons[{finding->verdict, reason}];
    if (reasons == nullptr)
      reasons = &state_->reasons.Add(
          labels(Label("verdict", name(finding->verdict)), Label("reason", name(reason))));
    reasons->Increment();
  }
  if (!finding->is_rejected()) counted.pneumonia->Observe(finding->pneumonia / 100);
  const Timing& timing = finding->timing;
  constexpr double kMillisecond = 1e-3;
  // Pixels that came instead of a file needed no decoding.
  if (timing.decode > 0) state_->decode.Observe(timing.decode * kMillisecond);
  state_->preprocess.Observe(timing.preprocess * kMillisecond);
  state_->infer.Observe(timing.infer * kMillisecond);
  state_->total.Observe(timing.total * kMillisecond);
}

void Metrics::on_exchange(const Exchange& exchange) {
  const std::string_view route = route_label(exchange.route);
  const std::string_view method = exchange.method == "-" ? "other" : exchange.method;
  const std::scoped_lock lock(state_->mutex);
  State::OfRoute& counted = state_->of_route(route, method);
  Counter*& answered = counted.statuses[exchange.status];
  if (answered == nullptr)
    answered = &state_->requests.Add({{"route", std::string(route)},
                                      {"method", std::string(method)},
                                      {"status", std::to_string(exchange.status)}});
  answered->Increment();
  counted.bytes->Increment(static_cast<double>(exchange.bytes));
  counted.seconds->Observe(exchange.spent.count());
}

void Metrics::on_wait(std::chrono::duration<double> wait) {
  state_->queue_wait.Observe(wait.count());
}

void Metrics::on_store(std::string_view operation, std::chrono::steady_clock::time_point since, bool failed) {
  if (operation == "put" && !failed)
    state_->store.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count());
  const std::scoped_lock lock(state_->mutex);
  auto found = state_->operations.find(operation);
  if (found == state_->operations.end())
    found = state_->operations
                .emplace(operation, &state_->store_errors.Add({{"operation", std::string(operation)}}))
                .first;
  if (failed) found->second->Increment();
}

void Metrics::add_source(MetricSource source) {
  state_->sources.push_back(std::move(source));
}

std::string Metrics::text() const {
  std::vector<prometheus::MetricFamily> families = state_->registry.Collect();
  // One without samples has nothing to tell yet.
  std::erase_if(families, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
  Gathered gathered;
  for (const MetricSource& source : state_->sources) source(gathered);
  for (const Gathered::Sample& sample : gathered.samples()) {
    auto family = std::ranges::find(families, sample.name, &prometheus::MetricFamily::name);
    if (family == families.end()) family = families.insert(family, family_of(sample));
    family->metric.push_back(metric_of(sample));
  }
  std::ranges::sort(families, {}, &prometheus::MetricFamily::name);
  return prometheus::TextSerializer().Serialize(families);
}

Route metrics_route(const Metrics& metrics) {
  return {"GET",
          "/metrics",
          Permission::kMetrics,
          Lane::kLookup,
          0,
          [&metrics](const Request&, const PathParameters&) -> Response {
            return {200,
                    {{"Content-Type", std::string(Metrics::kMediaType)}, {"Cache-Control", "no-store"}},
                    metrics.text()};
          }};
}

}  // namespace xray
