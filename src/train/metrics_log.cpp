#include "train/metrics_log.h"

#include <tensorboard.pb.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>
#include <stdexcept>

namespace xray {
namespace {

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// CRC-32C (Castagnoli), which frames every record of an event file.
std::uint32_t crc32c(std::string_view data) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0x82F63B78U : 0U);
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = ~0U;
  for (const char c : data) crc = (crc >> 8U) ^ kTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xFFU];
  return ~crc;
}

/// TFRecord stores checksums rotated and offset, so that a checksum of data that
/// holds checksums stays good.
std::uint32_t masked_crc(std::string_view data) {
  const std::uint32_t crc = crc32c(data);
  return ((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U;
}

template <typename T>
std::string_view as_bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  lines_.open(directory / "metrics.jsonl", std::ios::app);
  const std::string name = "events.out.tfevents." + std::to_string(static_cast<std::int64_t>(wall_time())) +
                           "." + std::to_string(::getpid());
  events_.open(directory / name, std::ios::binary | std::ios::app);
  if (!lines_ || !events_) throw std::runtime_error(directory.string() + ": cannot be written to");
  tensorboard::Event header;
  header.set_wall_time(wall_time());
  header.set_file_version("brain.Event:2");
  write_event(header.SerializeAsString());
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
  write_event(event.SerializeAsString());
}

void MetricsLog::write_event(const std::string& serialized) {
  const std::uint64_t length = serialized.size();
  const std::uint32_t length_crc = masked_crc(as_bytes(length));
  const std::uint32_t data_crc = masked_crc(serialized);
  events_ << as_bytes(length) << as_bytes(length_crc) << serialized << as_bytes(data_crc) << std::flush;
}

}  // namespace xray
