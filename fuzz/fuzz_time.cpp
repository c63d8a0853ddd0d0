#include "common/clock.h"
#include "fuzz_target.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = parse_time(fuzz::as_text(data, size));
  if (!read) return 0;
  const auto year = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(read->time)).year();
  fuzz::require(year >= std::chrono::year(-1) && year <= std::chrono::year(10'000));
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {to_bytes("2026-01-31"), to_bytes("2026-01-31T23:59:59.5Z"), to_bytes("2026-01-31t23:59:60+01:00")};
}
