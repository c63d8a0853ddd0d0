#include "train/metrics_log.h"

#include <tensorboard.pb.h>

#include <cmath>
#include <stdexcept>

namespace xray {
namespace {

std::filesystem::path made(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  return directory;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& directory)
    : lines_(made(directory) / "metrics.jsonl", std::ios::app), events_(directory) {
  if (!lines_) throw std::runtime_error(directory.string() + ": cannot be written to");
}

void MetricsLog::write(std::int64_t step, const Scalars& scalars) {
  nlohmann::ordered_json line = {{"step", step}};
  tensorboard::Event event;
  event.set_wall_time(wall_time());
  event.set_step(step);
  for (const auto& [name, value] : scalars) {
    // JSON has no NaN; null says that the number does not exist.
    line[name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
    auto& entry = *event.mutable_summary()->add_value();
    entry.set_tag(name);
    entry.set_simple_value(static_cast<float>(value));
  }
  lines_ << line.dump() << '\n' << std::flush;
  events_.write(event);
}

}  // namespace xray
