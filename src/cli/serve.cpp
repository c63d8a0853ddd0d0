#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/serve_models.h"
#include "cli/service.h"

namespace xray {
namespace {

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

/// Containers and units are set up by variables: --max-bytes is $XRAY_MAX_BYTES too.
void take_from_environment(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option == command.get_help_ptr() || !option->get_envname().empty()) continue;
    // $XRAY_MODEL is the default package of every command, and gives way to --model-dir.
    if (option->check_lname("model")) continue;
    std::string variable = "XRAY_" + option->get_lnames().at(0);
    std::ranges::replace(variable, '-', '_');
    std::ranges::transform(variable, variable.begin(), [](unsigned char c) { return std::toupper(c); });
    option->envname(variable);
  }
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve the web page, the web API and inference protocols");
  command->footer(
      "Findings and pictures are kept in the store until they are deleted. On another\n"
      "address than this machine's own it takes a lock (docs/security.md); a proxy in front has to\n"
      "pass on the Host field. SIGTERM and Ctrl-C finish what is running and stop; SIGHUP looks at\n"
      "--model-dir at once.\n"
      "Every option may be given as a variable too: $XRAY_MAX_BYTES for --max-bytes.\n"
      "/readyz says when the model has passed its self-test; /metrics counts what happens, for\n"
      "Prometheus. The log holds no file names and nothing of patients.\n"
      "\n"
      "Examples:\n"
      "  xray serve\n"
      "  xray serve --grpc 127.0.0.1:8001\n"
      "  xray serve --listen 0.0.0.0:443 --tls-cert tls.crt --tls-key tls.key\n"
      "  xray serve --model-dir /srv/models --canary-share 5 --shadow pediatric:next\n"
      "\n"
      "Exit code: 0 stopped when asked to, 1 could not start, 2 wrong usage.");
  command
      ->add_option(
          "--listen", options->listen,
          "Address to listen on; port 0 takes a free one, no port is $PORT or 8080 (default: 127.0.0.1)")
      ->type_name("HOST[:PORT]");
  command
      ->add_option("--grpc", options->grpc,
                   "Serve the Open Inference Protocol (KServe v2, Triton) over gRPC there too (default: not)")
      ->type_name("HOST:PORT");
  command
      ->add_option("--store", options->store,
                   "Where findings are kept: sqlite:PATH or postgresql://USER@HOST/DATABASE; a password is\n"
                   "better left to $PGPASSWORD or ~/.pgpass (default: $DATABASE_URL, the database of\n"
                   "$RDS_HOSTNAME, or sqlite:xray.sqlite)")
      ->type_name("URL");
  command
      ->add_option("--store-wait", options->store_wait,
                   "Seconds for which a database that is away at the start is waited for (default: 30)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
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
  command
      ->add_option("--max-held", options->max_held,
                   "Bytes of all requests' bodies and answers in memory at one time (default: 512 MiB)")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE");
  add_limit_options(*command, options->limits);
  command
      ->add_option("--metrics", options->metrics,
                   "Serve /metrics (and /healthz, /readyz) on this address instead of the page's; or off")
      ->type_name("HOST:PORT");
  command->add_flag(
      "--metrics-open", options->metrics_open,
      "Whoever reaches that address reads them, without a token: where the network lets nobody\n"
      "there but who gathers them");
  command
      ->add_option("--stop-delay", options->stop_delay,
                   "Seconds for which it goes on, not ready, once told to stop (default: 0)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  add_serve_lock(*command, options->lock);
  add_log_options(*command, *options);
  take_from_environment(*command);
  command->callback([options, &exit_code] { exit_code = Service(*options).run(); });
}

}  // namespace xray
