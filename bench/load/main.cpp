// Sends pictures to a server and prints how it took them, as JSON.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <string>

#include "load/generator.h"
#include "load/requests.h"

namespace xray::load {
namespace {

struct Options {
  std::string target;
  std::string pictures;
  std::size_t most_pictures = 200;
  RequestForm form;
  LoadOptions load;
};

/// A connection is a descriptor, and soft limits are low.
void allow_many_connections() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int fail(const Error& error) {
  std::cerr << "xray-load: " << error.message << '\n';
  return error.code == ErrorCode::kInvalidArgument ? 2 : 1;
}

int run(const Options& options) {
  const auto target = parse_target(options.target);
  if (!target) return fail(target.error());
  const auto pictures = find_pictures(options.pictures, options.most_pictures);
  if (!pictures) return fail(pictures.error());
  const auto requests = make_requests(*target, options.form, *pictures);
  if (!requests) return fail(requests.error());
  allow_many_connections();
  const auto report = generate_load(*target, *requests, options.load);
  if (!report) return fail(report.error());
  std::cout << to_json(*report).dump(2) << '\n';
  return 0;
}

void add_seconds(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                 const std::string& what) {
  app.add_option_function<double>(
         name, [&value](double seconds) { value = std::chrono::milliseconds(std::llround(1000 * seconds)); },
         what)
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 86'400.0));
}

int main_of(int argc, char** argv) {
  CLI::App app("Sends pictures to a server over HTTP and prints how it took them, as JSON");
  Options options;
  app.add_option("--target", options.target, "Where pictures are posted to")->type_name("URL")->required();
  app.add_option("--pictures", options.pictures, "Folder of JPEG and PNG files, sent in turn")
      ->type_name("FOLDER")
      ->required();
  app.add_option("--most-pictures", options.most_pictures, "Of these, picked evenly (default: 200)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
  const std::map<std::string, BodyForm> forms = {
      {"multipart", BodyForm::kMultipart}, {"raw", BodyForm::kRaw}, {"json", BodyForm::kJson}};
  app.add_option("--form", options.form.body,
                 "Body: multipart (a web form), raw (the file) or json (as TensorFlow Serving takes it)")
      ->transform(CLI::CheckedTransformer(forms));
  app.add_option("--field", options.form.field, "Field of the web form (default: file)")->type_name("NAME");
  app.add_option("--input", options.form.input, "Input that the JSON names")->type_name("NAME");
  app.add_option("--header", options.form.headers, "Field of the head, 'Name: value'; may be repeated")
      ->type_name("FIELD");
  app.add_option("--connections", options.load.connections,
                 "Clients of a closed loop, or the most connections of an open one (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 60'000));
  app.add_option("--rate", options.load.rate,
                 "Requests per second whatever becomes of them: an open loop (default: a closed loop)")
      ->type_name("PER-SECOND")
      ->check(CLI::Range(0.001, 1e6));
  add_seconds(app, "--warm-up", options.load.warm_up, "Before anything is counted (default: 2)");
  add_seconds(app, "--seconds", options.load.measured, "Measured (default: 10)");
  add_seconds(app, "--timeout", options.load.timeout, "After which a client gives up (default: 10)");
  app.add_option("--requests", options.load.requests, "Closed loop: end after as many answers, if sooner")
      ->type_name("N");
  app.add_option("--pid", options.load.server, "Process whose tree's memory and CPU time are watched")
      ->type_name("PID");
  app.add_option("--slow", options.load.slow_clients, "Slow clients beside the others (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 60'000));
  const std::map<std::string, std::vector<SlowKind>> kinds = {
      {"head", {SlowKind::kHead}},
      {"body", {SlowKind::kBody}},
      {"deaf", {SlowKind::kDeaf}},
      {"mixed", {SlowKind::kHead, SlowKind::kBody, SlowKind::kDeaf}}};
  app.add_option_function<std::string>(
         "--slow-kind", [&](const std::string& kind) { options.load.slow_kinds = kinds.at(kind); },
         "What they are slow at: head, body (a byte a second), deaf (reads nothing), mixed (default)")
      ->check(CLI::IsMember({"head", "body", "deaf", "mixed"}));
  CLI11_PARSE(app, argc, argv);
  return run(options);
}

}  // namespace
}  // namespace xray::load

int main(int argc, char** argv) {
  return xray::load::main_of(argc, argv);
}
