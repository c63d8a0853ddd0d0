#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/serve_models.h"
#include "common/work_queue.h"
#include "diagnose/selftest.h"
#include "serve/grpc/grpc_server.h"
#include "serve/http/findings_api.h"
#include "serve/http/guard.h"
#include "serve/http/http_server.h"
#include "serve/http/listen_address.h"
#include "serve/http/models_api.h"
#include "serve/http/readiness.h"
#include "serve/http/static_files.h"
#include "serve/inference/inference.h"
#include "serve/log/log.h"
#include "serve/metrics/metrics.h"
#include "serve/metrics/observed_store.h"
#include "serve/metrics/sources.h"
#include "serve/rest/open_inference_api.h"
#include "serve/rest/tensorflow_api.h"
#include "store/store.h"

namespace xray {
namespace {

struct ServeOptions {
  std::string listen;
  std::string grpc;
  std::string store = "sqlite:xray.sqlite";
  ServeModels models;
  int threads = 0;
  int queue = 64;
  int batch = 64;
  int max_wait = 750;  ///< ms
  int max_connections = 512;
  DecodeLimits limits;
  std::string metrics;  ///< HOST:PORT, "off", or empty: where the page is
  double stop_delay = 0;
  LogFormat log_format = LogFormat::kText;
  spdlog::level::level_enum log_level = spdlog::level::info;
};

constexpr const char* kOff = "off";

/// Bytes of one request to an inference protocol: the largest picture in base64, or several that
/// are smaller.
std::uint64_t inference_body(const DecodeLimits& limits) {
  constexpr std::uint64_t kNames = 64U << 10U;
  return limits.max_bytes + limits.max_bytes / 2 + kNames;
}

/// --listen, else loopback with the port in $PORT, else the default.
Result<ListenAddress> listen_address(const ServeOptions& options) {
  if (!options.listen.empty()) return parse_listen_address(options.listen);
  ListenAddress address;
  const char* port = std::getenv("PORT");  // NOLINT(concurrency-mt-unsafe): nothing else runs yet
  if (port == nullptr || *port == '\0') return address;
  const Result<std::uint16_t> parsed = parse_port(port);
  if (!parsed) return with_context(parsed.error(), "$PORT");
  address.port = *parsed;
  return address;
}

int fail_to_start(const Error& error) {
  return fail(error.message, error.code == ErrorCode::kInvalidArgument ? kExitUsage : kExitSomeFailed);
}

/// What --grpc asks for; nothing without it.
Result<std::optional<GrpcOptions>> grpc_options(const ServeOptions& options, const Readiness& readiness) {
  if (options.grpc.empty()) return std::optional<GrpcOptions>();
  const auto address = parse_listen_address(options.grpc);
  if (!address) return with_context(address.error(), "--grpc");
  return std::optional(GrpcOptions{.host = address->host,
                                   .port = address->port,
                                   .version = XRAY_VERSION,
                                   .is_ready = [&readiness] { return readiness.state().ok(); },
                                   .max_picture = options.limits.max_bytes});
}

HttpOptions http_options(const ListenAddress& address) {
  HttpOptions http;
  http.host = address.host;
  http.port = address.port;
  http.headers = security_headers();
  return http;
}

/// Metrics, and whether the server is well, on an address of their own; in a thread of its own, so
/// that neither waits for the page's requests. Ends with the object.
class MetricsServer {
 public:
  /// `server` listens already.
  MetricsServer(std::unique_ptr<HttpServer> server, std::vector<Route> routes)
      : server_(std::move(server)),
        router_(std::move(routes), no_diagnoses_,
                {.loopback_only = server_->is_loopback(), .lookup_workers = 1, .lookup_queue = 16}),
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

/// Scores the pictures pinned with the model the way that uploads go.
void run_selftest(const std::stop_token& stop, const ServedModel& model, const DecodeLimits& limits,
                  ModelSet& models, Readiness& readiness) {
  const auto begin = std::chrono::steady_clock::now();
  // Past the observers: it is nobody's finding.
  const auto diagnose = [&model](std::span<const std::byte> bytes) {
    return model.diagnoser->diagnose(bytes);
  };
  const auto examine = [&](std::span<const std::byte> file) { return examine_file(file, limits, diagnose); };
  const Result<std::string> passed = xray::run_selftest(*model.diagnoser, examine, stop);
  if (!passed) {
    readiness.fail(passed.error());
    if (stop.stop_requested()) return;
    // No answer is better than one by a model that is not itself.
    models.distrust({ErrorCode::kBusy, "the model failed its self-test: no pictures are read"});
    spdlog::error("not ready: {}", passed.error().message);
    return;
  }
  readiness.pass(*passed);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  log_event(spdlog::level::info, "ready", {{"selftest", *passed}, {"seconds", spent.count()}});
}

int serve(const ServeOptions& options) {
  const auto address = listen_address(options);
  if (!address) return fail(address.error().message, kExitUsage);
  Readiness readiness;
  const auto grpc = grpc_options(options, readiness);
  if (!grpc) return fail(grpc.error().message, kExitUsage);
  const bool metrics_apart = !options.metrics.empty() && options.metrics != kOff;
  const auto metrics_address = metrics_apart ? parse_listen_address(options.metrics) : ListenAddress();
  if (!metrics_address) return fail("--metrics: " + metrics_address.error().message, kExitUsage);

  // The log goes to standard error: standard output holds the one line that says where to look.
  set_up_log(options.log_format, options.log_level);

  Metrics metrics;

  // Bound first, so that an address in use is told before a model is loaded.
  HttpOptions http = http_options(*address);
  http.max_connections = static_cast<std::size_t>(options.max_connections);
  http.observer = &metrics;
  http.stop_delay =
      std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(options.stop_delay));
  http.on_told_to_stop = [&readiness] {
    readiness.stop();
    spdlog::info("stopping");
  };
  const auto server = HttpServer::listen(http);
  if (!server) return fail(server.error().message);
  std::unique_ptr<HttpServer> metrics_http;
  if (metrics_apart) {
    auto listening = HttpServer::listen(http_options(*metrics_address));
    if (!listening) return fail("--metrics: " + listening.error().message);
    metrics_http = std::move(*listening);
  }

  const int workers = options.threads > 0
                          ? options.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const auto running = open_models(options.models, options.limits, workers);
  if (!running) return fail_to_start(running.error());
  const auto store = open_store(options.store);
  if (!store) return fail_to_start(with_context(store.error(), options.store));

  running->set->add_observer(metrics);
  ObservedStore observed_store(**store, metrics);
  const ModelSet& models = *running->set;
  const auto diagnose = [&models](std::span<const std::byte> bytes) {
    const ModelHandle model = models.choose(bytes);
    return models.diagnose(*model, bytes);
  };
  FindingsApi api(diagnose, observed_store, options.limits);
  ModelsApi models_api(models, running->shadow.get());
  std::vector<Route> routes = api.routes();
  const std::vector<Route> health = health_routes(readiness, observed_store);
  std::ranges::copy(health, std::back_inserter(routes));
  if (options.metrics.empty()) routes.push_back(metrics_route(metrics));
  const Inference inference(models, {.max_pictures = static_cast<std::size_t>(options.batch)});
  const OpenInferenceApi open_inference(inference, readiness, XRAY_VERSION, inference_body(options.limits));
  const TensorFlowApi tensorflow(inference, inference_body(options.limits));
  std::ranges::copy(open_inference.routes(), std::back_inserter(routes));
  std::ranges::copy(tensorflow.routes(), std::back_inserter(routes));
  std::ranges::copy(models_api.routes(), std::back_inserter(routes));
  std::ranges::copy(static_routes(web_assets()), std::back_inserter(routes));
  RouterOptions routing;
  routing.loopback_only = (*server)->is_loopback();
  // One queue for all doors, so that together they run no more than there are threads.
  WorkQueue diagnoses(workers, options.queue, std::chrono::milliseconds(options.max_wait));
  diagnoses.observe_waits([&metrics](auto wait) { metrics.on_wait(wait); });
  Router router(std::move(routes), diagnoses, routing);

  metrics.add_source(http_source(**server));
  metrics.add_source(queue_source("diagnosis", diagnoses));
  metrics.add_source(queue_source("lookup", router.lookups()));
  metrics.add_source(model_source(models));
  if (running->shadow) metrics.add_source(shadow_source(*running->shadow));
  metrics.add_source(readiness_source(readiness));
  metrics.add_source(process_source(XRAY_VERSION));
  std::optional<MetricsServer> metrics_server;
  if (metrics_http) {
    log_event(spdlog::level::info, "metrics", {{"url", metrics_http->url() + "/metrics"}});
    std::vector<Route> own = health;
    own.push_back(metrics_route(metrics));
    metrics_server.emplace(std::move(metrics_http), std::move(own));
  }

  std::unique_ptr<GrpcServer> grpc_server;
  if (*grpc) {
    auto started = GrpcServer::start(**grpc, inference, diagnoses);
    if (!started) return fail(started.error().message);
    grpc_server = std::move(*started);
  }

  if (!routing.loopback_only)
    spdlog::warn("there is no sign-in: whoever reaches {} sees and deletes all findings", (*server)->url());
  std::string served_at = (*server)->url();
  if (grpc_server != nullptr) {
    served_at += " and " + grpc_server->url();
    if (!grpc_server->is_loopback())
      spdlog::warn("there is no sign-in: whoever reaches {} has pictures read", grpc_server->url());
    (*server)->on_stop([&grpc_server] { grpc_server->stop(); });
  }
  (*server)->stop_on_signals();
  if (running->watcher) (*server)->on_hangup([&running] { running->watcher->look_now(); });
  std::cout << "xray serves " << served_at << " (model " << models.primary()->id() << ", findings in "
            << options.store << "). Ctrl-C stops it." << std::endl;
  // It keeps its model, whichever is served by then.
  const std::jthread selftest([&, model = models.primary()](const std::stop_token& stop) {
    run_selftest(stop, *model, options.limits, *running->set, readiness);
  });
  (*server)->run(router);
  if (grpc_server != nullptr) grpc_server->wait();
  spdlog::info("stopped");
  return kExitOk;
}

void add_log_options(CLI::App& command, ServeOptions& options) {
  const std::map<std::string, LogFormat> formats = {{"text", LogFormat::kText}, {"json", LogFormat::kJson}};
  command
      .add_option_function<std::string>(
          "--log-format",
          [formats, &options](const std::string& wanted) { options.log_format = formats.at(wanted); },
          "Lines of the log on standard error: text or json (default: text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->envname("XRAY_LOG_FORMAT");
  const std::map<std::string, spdlog::level::level_enum> levels = {{"debug", spdlog::level::debug},
                                                                   {"info", spdlog::level::info},
                                                                   {"warn", spdlog::level::warn},
                                                                   {"error", spdlog::level::err}};
  command
      .add_option_function<std::string>(
          "--log-level",
          [levels, &options](const std::string& wanted) { options.log_level = levels.at(wanted); },
          "Least severe lines that are written: debug, info, warn or error (default: info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->envname("XRAY_LOG_LEVEL");
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve the web page, the web API and inference protocols");
  command->footer(
      "Findings and pictures are kept in the store until they are deleted. There is no sign-in:\n"
      "on another address than this machine's own, put a proxy with one in front, and have it pass\n"
      "on the Host field. SIGTERM and Ctrl-C finish what is running and stop; SIGHUP looks at\n"
      "--model-dir at once.\n"
      "/readyz says when the model has passed its self-test; /metrics counts what happens, for\n"
      "Prometheus. The log holds no file names and nothing of patients.\n"
      "\n"
      "Examples:\n"
      "  xray serve\n"
      "  xray serve --grpc 127.0.0.1:8001\n"
      "  xray serve --listen 0.0.0.0:80 --store sqlite:/var/lib/xray/findings.sqlite\n"
      "  xray serve --model-dir /srv/models --canary-share 5 --shadow pediatric:next\n"
      "\n"
      "Exit code: 0 stopped when asked to, 1 could not start, 2 wrong usage.");
  command
      ->add_option("--listen", options->listen,
                   "Address to listen on; port 0 takes a free one (default: 127.0.0.1:8080, or port $PORT)")
      ->type_name("HOST:PORT");
  command
      ->add_option("--grpc", options->grpc,
                   "Serve the Open Inference Protocol (KServe v2, Triton) over gRPC there too (default: not)")
      ->type_name("HOST:PORT");
  command->add_option("--store", options->store, "Where findings are kept (default: sqlite:xray.sqlite)")
      ->type_name("sqlite:PATH");
  add_serve_models(*command, options->models);
  command->add_option("--threads", options->threads, "Pictures diagnosed at one time (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--queue", options->queue,
                   "Pictures that may wait; more are told to come back (default: 64)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  command
      ->add_option("--batch", options->batch,
                   "Pictures in one request of the inference protocols (default: 64)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--max-wait", options->max_wait,
                   "Longest time that a picture should wait; those that would wait longer are told to\n"
                   "come back. 0: as long as the queue makes it (default: 750)")
      ->type_name("MS")
      ->check(CLI::Range(0, 3'600'000));
  command
      ->add_option("--max-connections", options->max_connections,
                   "Clients connected at one time (default: 512)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  add_limit_options(*command, options->limits);
  command
      ->add_option("--metrics", options->metrics,
                   "Serve /metrics (and /healthz, /readyz) on this address instead of the page's; or off")
      ->type_name("HOST:PORT");
  command
      ->add_option("--stop-delay", options->stop_delay,
                   "Seconds for which it goes on, not ready, once told to stop (default: 0)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  add_log_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = serve(*options); });
}

}  // namespace xray
