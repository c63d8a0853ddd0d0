#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/serve_models.h"
#include "common/work_queue.h"
#include "serve/grpc/grpc_server.h"
#include "serve/http/findings_api.h"
#include "serve/http/guard.h"
#include "serve/http/http_server.h"
#include "serve/http/listen_address.h"
#include "serve/http/models_api.h"
#include "serve/http/static_files.h"
#include "serve/inference/inference.h"
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
  int max_wait = 250;  ///< ms
  int max_connections = 512;
  DecodeLimits limits;
};

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
Result<std::optional<GrpcOptions>> grpc_options(const ServeOptions& options) {
  if (options.grpc.empty()) return std::optional<GrpcOptions>();
  const auto address = parse_listen_address(options.grpc);
  if (!address) return with_context(address.error(), "--grpc");
  return std::optional(GrpcOptions{.host = address->host,
                                   .port = address->port,
                                   .version = XRAY_VERSION,
                                   .max_picture = options.limits.max_bytes});
}

int serve(const ServeOptions& options) {
  const auto address = listen_address(options);
  if (!address) return fail(address.error().message, kExitUsage);
  const auto grpc = grpc_options(options);
  if (!grpc) return fail(grpc.error().message, kExitUsage);

  // The log goes to standard error: standard output holds the one line that says where to look.
  auto log = spdlog::stderr_logger_mt("xray");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_default_logger(std::move(log));

  // Bound first, so that an address in use is told before a model is loaded.
  HttpOptions http;
  http.host = address->host;
  http.port = address->port;
  http.max_connections = static_cast<std::size_t>(options.max_connections);
  http.headers = security_headers();
  const auto server = HttpServer::listen(http);
  if (!server) return fail(server.error().message);

  const int workers = options.threads > 0
                          ? options.threads
                          : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const auto running = open_models(options.models, options.limits, workers);
  if (!running) return fail_to_start(running.error());
  const auto store = open_store(options.store);
  if (!store) return fail_to_start(with_context(store.error(), options.store));

  const ModelSet& models = *running->set;
  const auto diagnose = [&models](std::span<const std::byte> bytes) {
    const ModelHandle model = models.choose(bytes);
    return models.diagnose(*model, bytes);
  };
  FindingsApi api(diagnose, **store, options.limits);
  ModelsApi models_api(models, running->shadow.get());
  std::vector<Route> routes = api.routes();
  const Inference inference(models, {.max_pictures = static_cast<std::size_t>(options.batch)});
  const OpenInferenceApi open_inference(inference, XRAY_VERSION, inference_body(options.limits));
  const TensorFlowApi tensorflow(inference, inference_body(options.limits));
  std::ranges::copy(open_inference.routes(), std::back_inserter(routes));
  std::ranges::copy(tensorflow.routes(), std::back_inserter(routes));
  std::ranges::copy(models_api.routes(), std::back_inserter(routes));
  std::ranges::copy(static_routes(web_assets()), std::back_inserter(routes));
  RouterOptions routing;
  routing.loopback_only = (*server)->is_loopback();
  // One queue for all doors, so that together they run no more than there are threads.
  WorkQueue diagnoses(workers, options.queue, std::chrono::milliseconds(options.max_wait));
  Router router(std::move(routes), diagnoses, routing);

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
  (*server)->run(router);
  if (grpc_server != nullptr) grpc_server->wait();
  spdlog::info("stopped");
  return kExitOk;
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
                   "come back. 0: as long as the queue makes it (default: 250)")
      ->type_name("MS")
      ->check(CLI::Range(0, 3'600'000));
  command
      ->add_option("--max-connections", options->max_connections,
                   "Clients connected at one time (default: 512)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  add_limit_options(*command, options->limits);
  command->callback([options, &exit_code] { exit_code = serve(*options); });
}

}  // namespace xray
