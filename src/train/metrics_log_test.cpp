#include "train/metrics_log.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "common/file.h"
#include "support/temp_dir.h"

namespace xray {
namespace {

TEST(MetricsLog, WritesOneJsonLinePerRecordAndNullForNoNumber) {
  const test::TempDir dir;
  {
    MetricsLog log(dir.path());
    log.write(1, {{"loss", 0.5}});
    log.write(2, {{"loss", std::numeric_limits<double>::quiet_NaN()}});
  }
  EXPECT_EQ(read_text(dir / "metrics.jsonl").value(),
            "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":null}\n");
}

TEST(MetricsLog, FramesEventsAsTensorBoardReadsThem) {
  const test::TempDir dir;
  MetricsLog(dir.path()).write(3, {{"loss", 0.25}});
  std::string events;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
    if (entry.path().filename().string().starts_with("events.out.tfevents."))
      events = read_text(entry.path()).value();
  // Two records: the version, then the scalar; each is length, its checksum, data, its checksum.
  std::vector<std::string> records;
  for (std::size_t at = 0; at < events.size();) {
    std::uint64_t length = 0;
    ASSERT_LE(at + 12, events.size());
    std::memcpy(&length, events.data() + at, sizeof length);
    ASSERT_LE(at + 16 + length, events.size());
    records.push_back(events.substr(at + 12, length));
    at += 16 + length;
  }
  ASSERT_EQ(records.size(), 2U);
  EXPECT_NE(records[0].find("brain.Event:2"), std::string::npos);
  EXPECT_NE(records[1].find("loss"), std::string::npos);
  // The checksum of a known length: masked CRC-32C of 24 as TensorFlow writes it before every version record.
  std::uint64_t length = 0;
  std::memcpy(&length, events.data(), sizeof length);
  EXPECT_EQ(length, 24U);
  EXPECT_EQ(events.substr(8, 4), std::string("\xa3\x7f\x4b\x22", 4));
}

}  // namespace
}  // namespace xray
