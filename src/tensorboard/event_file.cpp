#include "tensorboard/event_file.h"

#include <tensorboard.pb.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace xray {
namespace {

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

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

EventFile::EventFile(const std::filesystem::path& directory) {
  static std::atomic<int> made = 0;
  std::filesystem::create_directories(directory);
  const std::string name = "events.out.tfevents." + std::to_string(static_cast<std::int64_t>(wall_time())) +
                           "." + std::to_string(::getpid()) + "." + std::to_string(made++);
  file_.open(directory / name, std::ios::binary | std::ios::app);
  if (!file_) throw std::runtime_error(directory.string() + ": cannot be written to");
  tensorboard::Event header;
  header.set_wall_time(wall_time());
  header.set_file_version("brain.Event:2");
  write(header);
}

void EventFile::write(const tensorboard::Event& event) {
  const std::string serialized = event.SerializeAsString();
  const std::uint64_t length = serialized.size();
  const std::uint32_t length_crc = masked_crc(as_bytes(length));
  const std::uint32_t data_crc = masked_crc(serialized);
  file_ << as_bytes(length) << as_bytes(length_crc) << serialized << as_bytes(data_crc) << std::flush;
}

}  // namespace xray
