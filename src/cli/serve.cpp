#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "cli/commands.h"
#include "cli/options.h"
#include "common/work_queue.h"
#include "diagnose/diagnoser.h"
#include "serve/grpc/grpc_server.h"
#include "serve/http/findings_api.h"
#include "serve/http/guard.h"
#include "serve/http/http_server.h"
#include "serve/http/listen_address.h"
#include "serve/http/static_files.h"
#include "serve/models/model_set.h"
#include "store/store.h"

namespace xray {
namespace {

struct ServeOptions {
  std::string listen;
  std::string grpc;
  std::string store = "sqlite:xray.sqlite";
  ModelChoice model;
  int threads = 0;
  int queue = 64;
  int max_wait = 100;  ///< ms
  int max_connections = 512;
  DecodeLimits limits;
};

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

/// Serves --grpc where it is given; null where not.
Result<std::unique_ptr<GrpcServer>> start_grpc(const ServeOptions& options, const Inference& inference,
                                               WorkQueue& diagnoses) {
  if (options.grpc.empty()) return std::unique_ptr<GrpcServer>();
  const auto address = parse_listen_address(options.grpc);
  if (!address) return address.error();
  GrpcOptions grpc;
  grpc.host = address->host;
  grpc.port = address->port;
  grpc.version = XRAY_VERSION;
  grpc.max_picture = options.limits.max_bytes;
  return GrpcServer::start(grpc, inference, diagnoses);
}

int serve(const ServeOptions& options) {
  const auto address = listen_address(options);
  if (!address) return fail(address.error().message, kExitUsage);
  if (!options.grpc.empty())
    if (const auto grpc = parse_listen_address(options.grpc); !grpc)
      return fail("--grpc: " + grpc.error().message, kExitUsage);

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
  auto diagnoser = open_diagnoser(options.model, options.limits, {.threads = workers});
  if (!diagnoser) return fail(diagnoser.error().message);
  const auto store = open_store(options.store);
  if (!store)
    return fail(options.store + ": " + store.error().message,
                store.error().code == ErrorCode::kInvalidArgument ? kExitUsage : kExitSomeFailed);

  const ModelSet models(served(std::move(*diagnoser)));
  const auto diagnose = [&models](std::span<const std::byte> bytes) {
    return models.diagnose(*models.primary(), bytes);
  };
  FindingsApi api(diagnose, models.primary()->card, **store, options.limits);
  std::vector<Route> routes = api.routes();
  std::ranges::copy(static_routes(web_assets()), std::back_inserter(routes));
  RouterOptions routing;
  routing.loopback_only = (*server)->is_loopback();
  // One queue for all doors, so that together they run no more than there are threads.
  WorkQueue diagnoses(workers, options.queue, std::chrono::milliseconds(options.max_wait));
  Router router(std::move(routes), diagnoses, routing);

  const Inference inference(models);
  const auto grpc = start_grpc(options, inference, diagnoses);
  if (!grpc) return fail("--grpc: " + grpc.error().message);

  if (!routing.loopback_only)
    spdlog::warn("there is no sign-in: whoever reaches {} sees and deletes all findings", (*server)->url());
  std::string served_at = (*server)->url();
  if (*grpc != nullptr) {
    served_at += " and " + (*grpc)->url();
    if (!(*grpc)->is_loopback())
      spdlog::warn("there is no sign-in: whoever reaches {} has pictures read", (*grpc)->url());
    (*server)->on_stop([&grpc] { (*grpc)->stop(); });
  }
  (*server)->stop_on_signals();
  std::cout << "xray serves " << served_at << " (model " << models.primary()->diagnoser->card().id()
            << ", findings in " << options.store << "). Ctrl-C stops it." << std::endl;
  (*server)->run(router);
  if (*grpc != nullptr) (*grpc)->wait();
  spdlog::info("stopped");
  return kExitOk;
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve the web page and the web API");
  command->footer(
      "Findings and pictures are kept in the store until they are deleted. There is no sign-in:\n"
      "on another address than this machine's own, put a proxy with one in front, and have it pass\n"
      "on the Host field. SIGTERM and Ctrl-C finish what is running and stop.\n"
      "\n"
      "Examples:\n"
      "  xray serve\n"
      "  xray serve --grpc 127.0.0.1:8001\n"
      "  xray serve --listen 0.0.0.0:80 --store sqlite:/var/lib/xray/findings.sqlite\n"
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
  add_model_options(*command, options->model);
  command->add_option("--threads", options->threads, "Pictures diagnosed at one time (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--queue", options->queue,
                   "Pictures that may wait; more are told to come back (default: 64)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  command
      ->add_option("--max-wait", options->max_wait,
                   "Longest time that a picture should wait; those that would wait longer are told to\n"
                   "come back. 0: as long as the queue makes it (default: 100)")
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
