#include "cli/service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/serve_address.h"
#include "cli/store_url.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "diagnose/selftest.h"
#include "serve/http/guard.h"
#include "serve/http/listen_address.h"
#include "serve/http/static_files.h"
#include "serve/metrics/sources.h"
#include "store/sql.h"

namespace xray {
namespace {

/// ServeOptions::metrics where there are to be none.
constexpr const char* kMetricsOff = "off";
constexpr std::chrono::seconds kLookAtCertificates{5};

/// Bytes of one request to an inference protocol: the largest picture in base64, or several that
/// are smaller.
std::uint64_t inference_body(const DecodeLimits& limits) {
  constexpr std::uint64_t kNames = 64U << 10U;
  return limits.max_bytes + limits.max_bytes / 2 + kNames;
}

/// Whether what listens there is for this machine alone; a name other than localhost may mean anything.
bool is_loopback_host(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return error ? host == "localhost" : address.is_loopback();
}

int fail_to_start(const Error& error) {
  return fail(error.message, error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitSomeFailed);
}

/// What --grpc asks for; nothing without it.
Result<std::optional<GrpcOptions>> grpc_options(const ServeOptions& options, const Readiness& readiness,
                                                GrpcCertificate certificate) {
  if (options.grpc.empty()) return std::optional<GrpcOptions>();
  const auto address = parse_listen_address(options.grpc);
  if (!address) return with_context(address.error(), "--grpc");
  return std::optional(GrpcOptions{.host = address->host,
                                   .port = address->port,
                                   .version = XRAY_VERSION,
                                   .certificate = std::move(certificate),
                                   .is_ready = [&readiness] { return readiness.state().ok(); },
                                   .max_picture = options.limits.max_bytes});
}

}  // namespace

Result<HttpOptions> Service::http_options(const ListenAddress& address) const {
  auto proxies = Networks::parse(options_.lock.trust_proxy);
  if (!proxies) return with_context(proxies.error(), "--trust-proxy");
  HttpOptions http;
  http.host = address.host;
  http.port = address.port;
  http.headers = security_headers();
  http.tls = tls_.get();
  http.trusted_proxies = std::move(*proxies);
  return http;
}

int Service::listen() {
  if (!options_.lock.tls_certificate.empty()) {
    auto loaded = TlsCertificates::load(options_.lock.tls_certificate, options_.lock.tls_key);
    if (!loaded) return fail(loaded.error().message);
    tls_ = std::move(*loaded);
  }
  const auto address = serve_address(options_.listen);
  if (!address) return fail(address.error().message, kExitUsage);
  GrpcCertificate certificate;
  if (tls_) {
    certificate = [this] {
      TlsCertificates::Pem pem = tls_->pem();
      return GrpcPem{std::move(pem.chain), std::move(pem.key)};
    };
  }
  auto grpc = grpc_options(options_, readiness_, std::move(certificate));
  if (!grpc) return fail(grpc.error().message, kExitUsage);
  grpc_ = std::move(*grpc);
  const bool metrics_apart = !options_.metrics.empty() && options_.metrics != kMetricsOff;
  const auto metrics_address = metrics_apart ? parse_listen_address(options_.metrics) : ListenAddress();
  if (!metrics_address) return fail("--metrics: " + metrics_address.error().message, kExitUsage);

  auto wanted = http_options(*address);
  if (!wanted) return fail(wanted.error().message, kExitUsage);
  HttpOptions http = std::move(*wanted);
  http.max_connections = static_cast<std::size_t>(options_.max_connections);
  http.max_buffered = options_.max_held;
  http.observer = &metrics_;
  http.stop_delay =
      std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(options_.stop_delay));
  http.on_told_to_stop = [this] {
    readiness_.stop();
    spdlog::info("stopping");
  };
  auto server = HttpServer::listen(http);
  if (!server) return fail(server.error().message);
  server_ = std::move(*server);
  if (!metrics_apart) return kExitOk;
  auto metrics = HttpServer::listen(http_options(*metrics_address).value());
  if (!metrics) return fail("--metrics: " + metrics.error().message);
  metrics_http_ = std::move(*metrics);
  return kExitOk;
}

/// A database that starts beside this server, as where a machine or a cluster comes up, is waited for.
Result<Done> Service::open_store_in_time(const std::string& url) {
  const auto open = [&]() -> Result<Done> {
    auto database = sql::open_database(url);
    if (!database) return database.error();
    database_ = std::move(*database);
    auto store = open_store(database_);
    if (!store) return store.error();
    store_ = std::move(*store);
    return Done{};
  };
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(options_.store_wait);
  for (bool told = false;; told = true) {
    auto opened = open();
    if (opened || opened.error().code != ErrorCode::kBusy || Clock::now() >= until) return opened;
    if (!told)
      spdlog::warn("{}: {}; waiting for it for {} s", sql::label_of(url), opened.error().message,
                   options_.store_wait);
    if (sleep_until_interrupt(std::chrono::milliseconds(500)))
      return Error{opened.error().code, opened.error().message + "; told to stop meanwhile"};
  }
}

int Service::open_findings() {
  const auto url = store_url(options_.store);
  if (!url) return fail_to_start(url.error());
  if (const auto opened = open_store_in_time(*url); !opened)
    return fail_to_start(with_context(opened.error(), sql::label_of(*url)));
  const bool metrics_reachable = metrics_http_ && !metrics_http_->is_loopback() && !options_.metrics_open;
  const bool grpc_reachable = grpc_ && !is_loopback_host(grpc_->host);
  const bool reachable = !server_->is_loopback() || metrics_reachable || grpc_reachable;
  auto lock = open_lock(options_.lock, database_,
                        {.reachable = reachable, .tls = tls_ != nullptr, .grpc = grpc_reachable});
  if (!lock) return fail_to_start(lock.error());
  lock_ = std::move(*lock);
  if (lock_.lock && grpc_)
    grpc_->admit = [this](std::string_view authorization, bool diagnose, const std::string& address) {
      return lock_.lock->admit(authorization, diagnose ? Permission::kDiagnose : Permission::kRead, address);
    };
  return kExitOk;
}

int Service::load() {
  if (const int code = open_findings(); code != kExitOk) return code;
  const int workers = static_cast<int>(thread_count(options_.threads));
  auto models = open_models(options_.models, options_.limits, workers);
  if (!models) return fail_to_start(models.error());
  models_ = std::move(*models);
  models_.set->add_observer(metrics_);
  observed_store_.emplace(*store_, metrics_);
  diagnoses_.emplace(workers, options_.queue, std::chrono::milliseconds(options_.max_wait));
  diagnoses_->observe_waits([this](auto wait) { metrics_.on_wait(wait); });
  return kExitOk;
}

std::vector<Route> Service::routes() {
  const ModelSet& models = *models_.set;
  const auto diagnose = [&models](std::span<const std::byte> bytes) {
    const ModelHandle model = models.choose(bytes);
    return models.diagnose(*model, bytes);
  };
  const auto explain = [&models](std::string_view id, std::span<const std::byte> bytes) -> Result<HeatMap> {
    for (const ModelHandle& model : models.list())
      if (model->id() == id && !model->diagnoser->card().lungs) return model->diagnoser->explain(bytes);
    return Error{ErrorCode::kNotFound, "this finding has no heat map, and its model cannot be asked for one"};
  };
  findings_.emplace(diagnose, *observed_store_, options_.limits, explain, lock_.lock.get());
  models_api_.emplace(models, models_.shadow.get());
  inference_.emplace(models, InferenceLimits{.max_pictures = static_cast<std::size_t>(options_.batch)});
  open_inference_.emplace(*inference_, readiness_, XRAY_VERSION, inference_body(options_.limits));
  tensorflow_.emplace(*inference_, inference_body(options_.limits));

  std::vector<Route> all = findings_->routes();
  const auto add = [&all](std::vector<Route> some) { std::ranges::move(some, std::back_inserter(all)); };
  add(health_routes(readiness_, *observed_store_));
  if (options_.metrics.empty()) add({metrics_route(metrics_)});
  add(open_inference_->routes());
  add(tensorflow_->routes());
  add(models_api_->routes());
  add(static_routes(web_assets()));
  if (lock_.api)
    add(lock_.api->routes());
  else
    add({unlocked_session_route()});
  return all;
}

int Service::open_doors() {
  router_.emplace(routes(), *diagnoses_,
                  RouterOptions{.loopback_only = server_->is_loopback(), .gate = lock_.lock.get()});
  add_metrics_sources();
  if (metrics_http_) {
    log_event(spdlog::level::info, "metrics", {{"url", metrics_http_->url() + "/metrics"}});
    std::vector<Route> own = health_routes(readiness_, *observed_store_);
    own.push_back(metrics_route(metrics_));
    const bool open = metrics_http_->is_loopback() || options_.metrics_open;
    Gate* const gate = open ? nullptr : lock_.lock.get();
    metrics_server_.emplace(std::move(metrics_http_), std::move(own), gate);
  }
  if (!grpc_) return kExitOk;
  auto started = GrpcServer::start(*grpc_, *inference_, *diagnoses_);
  if (!started) return fail(started.error().message);
  grpc_server_ = std::move(*started);
  server_->on_stop([this] { grpc_server_->stop(); });
  return kExitOk;
}

void Service::add_metrics_sources() {
  metrics_.add_source(http_source(*server_));
  metrics_.add_source(queue_source("diagnosis", *diagnoses_));
  metrics_.add_source(queue_source("lookup", router_->lookups()));
  metrics_.add_source(queue_source("writing", router_->writings()));
  metrics_.add_source(model_source(*models_.set));
  if (models_.shadow) metrics_.add_source(shadow_source(*models_.shadow));
  metrics_.add_source(readiness_source(readiness_));
  metrics_.add_source(process_source(XRAY_VERSION));
}

void Service::announce() {
  if (!server_->is_loopback() && !lock_.lock)
    spdlog::warn("there is no lock: whoever reaches {} sees and deletes all findings", server_->url());
  std::string served_at = server_->url();
  if (grpc_server_ != nullptr) {
    served_at += " and " + grpc_server_->url();
    if (!grpc_server_->is_loopback() && !lock_.lock)
      spdlog::warn("there is no lock: whoever reaches {} has pictures read", grpc_server_->url());
  }
  std::cout << "xray serves " << served_at << " (model " << models_.set->primary()->id() << ", findings in "
            << database_->label() << (lock_.lock ? ", behind a lock" : "") << "). Ctrl-C stops it."
            << std::endl;
}

void Service::test(const std::stop_token& stop, const ServedModel& model) {
  const auto begin = std::chrono::steady_clock::now();
  // Past the observers: it is nobody's finding. Nor do limits for users' pictures hold for it.
  const DecodeLimits limits;
  const auto diagnose = [&](std::span<const std::byte> bytes) {
    return model.diagnoser->diagnose(bytes, limits);
  };
  const auto examine = [&](std::span<const std::byte> file) { return examine_file(file, limits, diagnose); };
  const Result<std::string> passed = run_selftest(*model.diagnoser, examine, stop);
  if (!passed) {
    readiness_.fail(passed.error());
    if (stop.stop_requested()) return;
    // No answer is better than one by a model that is not itself.
    models_.set->distrust({ErrorCode::kBusy, "the model failed its self-test: no pictures are read"});
    spdlog::error("not ready: {}", passed.error().message);
    return;
  }
  readiness_.pass(*passed);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  log_event(spdlog::level::info, "ready", {{"selftest", *passed}, {"seconds", spent.count()}});
}

int Service::run() {
  // The log goes to standard error: standard output holds the one line that says where to look.
  set_up_log(options_.log_format, options_.log_level);
  if (const int code = listen(); code != kExitOk) return code;
  if (const int code = load(); code != kExitOk) return code;
  if (const int code = open_doors(); code != kExitOk) return code;
  server_->stop_on_signals();
  if (tls_) tls_watch_.emplace("certificates", kLookAtCertificates, [this] { tls_->look(); });
  if (models_.watcher || tls_)
    server_->on_hangup([this] {
      if (models_.watcher) models_.watcher->look_now();
      if (tls_watch_) tls_watch_->run_now();
    });
  announce();
  // It keeps its model, whichever is served by then.
  const std::jthread selftest(
      [this, model = models_.set->primary()](const std::stop_token& stop) { test(stop, *model); });
  server_->run(*router_);
  if (grpc_server_ != nullptr) grpc_server_->wait();
  spdlog::info("stopped");
  return kExitOk;
}

}  // namespace xray
