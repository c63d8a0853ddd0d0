#include "serve/metrics/sources.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

namespace xray {
namespace {

constexpr const char* kRefusedHelp = "Requests refused because a limit was reached.";
constexpr const char* kRefused = "xray_overload_refusals_total";

/// Fields of /proc/self/stat from the third on (proc(5)); the second, a name, may hold spaces.
struct ProcessStat {
  double threads = 0;
  double start_ticks = 0;  ///< since boot
  double virtual_bytes = 0;
  double resident_pages = 0;
};

ProcessStat read_stat() {
  std::ifstream file("/proc/self/stat");
  file.ignore(std::numeric_limits<std::streamsize>::max(), ')');
  ProcessStat stat;
  std::string word;
  for (int field = 3; field <= 24 && file >> word; ++field) {
    const auto number = [&] { return std::stod(word); };
    if (field == 20) stat.threads = number();
    if (field == 22) stat.start_ticks = number();
    if (field == 23) stat.virtual_bytes = number();
    if (field == 24) stat.resident_pages = number();
  }
  return stat;
}

/// When the machine was started, in seconds since 1970.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    if (word != "btime") continue;
    double seconds = 0;
    file >> seconds;
    return seconds;
  }
  return 0;
}

double open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), ::closedir);
  if (folder == nullptr) return 0;
  int count = 0;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the folder is this thread's own
  while (const dirent* entry = ::readdir(folder.get())) count += entry->d_name[0] != '.' ? 1 : 0;
  return count - 1;  // the folder itself
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

MetricSource http_source(const HttpServer& server) {
  return [&server](Gathered& out) {
    const HttpLoad load = server.load();
    const HttpOptions& options = server.options();
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    out.gauge("xray_http_connections", "Open connections.", number(load.connections));
    out.gauge("xray_http_connections_limit", "Connections that may be open.",
              number(options.max_connections));
    out.gauge("xray_http_requests_in_flight", "Requests not yet answered.", number(load.running));
    out.gauge("xray_http_held_bytes", "Bytes of requests' bodies in memory.", number(load.buffered));
    out.gauge("xray_http_held_bytes_limit", "Bytes of requests' bodies that may be held.",
              number(options.max_buffered));
    out.counter(kRefused, kRefusedHelp, number(load.refused_connections), {{"limit", "connections"}});
    out.counter(kRefused, kRefusedHelp, number(load.refused_for_memory), {{"limit", "held_bytes"}});
  };
}

MetricSource queue_source(std::string name, const WorkQueue& queue) {
  return [name = std::move(name), &queue](Gathered& out) {
    const QueueLoad load = queue.load();
    const MetricLabels labels = {{"queue", name}};
    out.gauge("xray_queue_waiting", "Tasks that wait.", load.waiting, labels);
    out.gauge("xray_queue_waiting_limit", "Tasks that may wait.", load.limit, labels);
    out.gauge("xray_queue_running", "Tasks being worked on.", load.running, labels);
    out.gauge("xray_queue_workers", "Tasks that may be worked on at one time.", load.workers, labels);
    out.counter(kRefused, kRefusedHelp, static_cast<double>(load.refused), {{"limit", name + "_queue"}});
  };
}

MetricSource model_source(const ModelSet& models) {
  return [&models](Gathered& out) {
    for (const ModelHandle& model : models.list()) {
      const ModelOrigin* origin = model->diagnoser->origin();
      out.gauge("xray_model_info", "A model being served.", 1,
                {{"name", model->name},
                 {"version", model->version},
                 {"precision", origin != nullptr ? name(origin->precision) : "unknown"}});
    }
    const auto catalogue = models.catalogue();
    for (const ModelState state : {ModelState::kLoading, ModelState::kServing, ModelState::kRefused})
      out.gauge("xray_model_packages", "Model packages by what became of them.",
                static_cast<double>(std::ranges::count(catalogue->statuses, state, &ModelStatus::state)),
                {{"state", name(state)}});
  };
}

MetricSource shadow_source(const Shadow& shadow) {
  return [&shadow](Gathered& out) {
    const ShadowCounts counts = shadow.snapshot();
    const auto count = [&](const char* name, const char* help, std::uint64_t value) {
      out.counter(name, help, static_cast<double>(value),
                  {{"primary", counts.primary}, {"shadow", counts.shadow}});
    };
    count("xray_shadow_taken_total", "Pictures that the shadow is asked about.", counts.taken);
    count("xray_shadow_dropped_total", "Pictures that it could not keep up with.", counts.dropped);
    count("xray_shadow_compared_total", "Pictures that both have read.", counts.compared);
    count("xray_shadow_agreed_total", "Of these, with the same verdict.", counts.agreed);
    count("xray_shadow_failed_total", "Pictures that only the primary could read.", counts.failed);
    out.gauge("xray_shadow_difference_ratio", "Mean difference of the two probabilities of pneumonia.",
              counts.mean_difference() / 100, {{"primary", counts.primary}, {"shadow", counts.shadow}});
  };
}

MetricSource readiness_source(const Readiness& readiness) {
  return [&readiness](Gathered& out) {
    out.gauge("xray_ready", "1 once the self-test has passed, until the server is told to stop.",
              readiness.state() ? 1 : 0);
  };
}

MetricSource process_source(std::string version) {
  return [version = std::move(version), boot = boot_time()](Gathered& out) {
    const ProcessStat stat = read_stat();
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    rlimit descriptors{};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    out.counter("process_cpu_seconds_total", "User and system time spent.",
                seconds(usage.ru_utime) + seconds(usage.ru_stime));
    out.gauge("process_resident_memory_bytes", "Resident memory.",
              stat.resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    out.gauge("process_virtual_memory_bytes", "Virtual memory.", stat.virtual_bytes);
    out.gauge("process_open_fds", "Open file descriptors.", open_descriptors());
    out.gauge("process_max_fds", "File descriptors that may be open.",
              static_cast<double>(descriptors.rlim_cur));
    out.gauge("process_threads", "Threads.", stat.threads);
    out.gauge("process_start_time_seconds", "Start of the process, in seconds since 1970.",
              boot + stat.start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
    out.gauge("xray_build_info", "The program.", 1, {{"version", version}});
  };
}

}  // namespace xray
