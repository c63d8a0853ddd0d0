#pragma once

#include <spdlog/common.h>

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/serve_lock.h"
#include "cli/serve_models.h"
#include "common/periodic.h"
#include "common/work_queue.h"
#include "image/decode.h"
#include "serve/grpc/grpc_server.h"
#include "serve/http/findings_api.h"
#include "serve/http/http_server.h"
#include "serve/http/listen_address.h"
#include "serve/http/models_api.h"
#include "serve/http/readiness.h"
#include "serve/http/router.h"
#include "serve/http/tls.h"
#include "serve/inference/inference.h"
#include "serve/log/log.h"
#include "serve/metrics/metrics.h"
#include "serve/metrics/observed_store.h"
#include "serve/rest/open_inference_api.h"
#include "serve/rest/tensorflow_api.h"
#include "store/sql.h"
#include "store/store.h"

namespace xray {

/// What the command line of `xray serve` says.
struct ServeOptions {
  std::string listen;
  std::string grpc;
  std::string store;  ///< a URL; empty: see store_url
  ServeModels models;
  int threads = 0;
  int queue = 64;
  int batch = 64;
  int max_wait = 750;  ///< ms
  int max_connections = 512;
  std::uint64_t max_held = HttpOptions().max_buffered;
  DecodeLimits limits;
  ServeLock lock;
  std::string metrics;        ///< HOST:PORT, "off", or empty: where the page is
  bool metrics_open = false;  ///< at an address of their own, to whoever reaches it
  double store_wait = 30;
  double stop_delay = 0;
  LogFormat log_format = LogFormat::kText;
  spdlog::level::level_enum log_level = spdlog::level::info;
};

/// Metrics, and whether the server is well, on an address of their own; in a thread of its own, so
/// that neither waits for the page's requests. Ends with the object.
class MetricsServer {
 public:
  /// `server` listens already.
  MetricsServer(std::unique_ptr<HttpServer> server, std::vector<Route> routes, Gate* gate)
      : server_(std::move(server)),
        router_(
            std::move(routes), no_diagnoses_,
            {.loopback_only = server_->is_loopback(), .lookup_workers = 1, .lookup_queue = 16, .gate = gate}),
        thread_([this] { server_->run(router_); }) {}
  ~MetricsServer() {
    server_->stop();
    thread_.join();
  }
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

 private:
  std::unique_ptr<HttpServer> server_;
  WorkQueue no_diagnoses_{1, 0};
  Router router_;
  std::thread thread_;
};

/// All that `xray serve` runs: doors, models, store, and who watches them. Members are in the order
/// of their making; they end the other way round.
class Service {
 public:
  /// `options` outlives it.
  explicit Service(const ServeOptions& options) : options_(options) {}

  /// Serves until told to stop. The exit code; what kept it from starting was said.
  int run();

 private:
  // The steps of run(): kExitOk, or the exit code.
  /// Binds all addresses, so that one in use is told before a model is loaded.
  int listen();
  /// Models and store.
  int load();
  Result<Done> open_store_in_time(const std::string& url);
  int open_findings();
  int open_doors();

  /// Of an address where it is to listen, with what --tls-cert and --trust-proxy say.
  Result<HttpOptions> http_options(const ListenAddress& address) const;

  std::vector<Route> routes();
  void add_metrics_sources();
  void announce();
  /// Scores the pictures pinned with the model the way that uploads go.
  void test(const std::stop_token& stop, const ServedModel& model);

  const ServeOptions& options_;
  Readiness readiness_;
  Metrics metrics_;
  std::unique_ptr<TlsCertificates> tls_;  ///< none: in the clear
  std::optional<Periodic> tls_watch_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpServer> metrics_http_;  ///< until metrics_server_ has it
  std::optional<GrpcOptions> grpc_;           ///< none without --grpc

  RunningModels models_;
  std::shared_ptr<sql::Database> database_;
  RunningLock lock_;
  std::unique_ptr<Store> store_;
  std::optional<ObservedStore> observed_store_;

  std::optional<FindingsApi> findings_;
  std::optional<ModelsApi> models_api_;
  std::optional<Inference> inference_;
  std::optional<OpenInferenceApi> open_inference_;
  std::optional<TensorFlowApi> tensorflow_;
  /// One for all doors: together they run no more than there are threads.
  std::optional<WorkQueue> diagnoses_;
  std::optional<Router> router_;
  std::optional<MetricsServer> metrics_server_;
  std::unique_ptr<GrpcServer> grpc_server_;
};

}  // namespace xray
