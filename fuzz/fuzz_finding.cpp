#include <algorithm>

#include "diagnose/comparison.h"
#include "fuzz_target.h"
#include "store/finding_codec.h"

namespace {

using namespace xray;
using fuzz::require;

bool is_percent(double value) {
  return value >= 0 && value <= 100;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Finding> finding = decode_finding(fuzz::as_text(data, size));
  if (!finding) {
    require(finding.error().code == ErrorCode::kStorage);
    return 0;
  }
  require(finding->width > 0 && finding->height > 0);
  require(is_percent(finding->normal) && is_percent(finding->pneumonia));
  require(!finding->has_subtype() || (is_percent(finding->bacterial) && is_percent(finding->viral)));
  require(!to_json(*finding).dump().empty());
  if (finding->severity) {
    require(is_percent(finding->severity->extent) && finding->severity->score <= 18);
    require(!to_json(compare(*finding, *finding).value()).dump().empty());
  }
  if (!finding->heat.empty()) require(render_heatmap(finding->heat, 9, 7).ok());

  const std::string written = encode_finding(*finding);
  const Result<Finding> again = decode_finding(written);
  require(again.ok());
  require(encode_finding(*again) == written);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  Finding finding{.normal = 97.123456789012, .pneumonia = 100 - 97.123456789012};
  finding.model = "R\xC3\xB6ntgen 1.0";
  finding.width = 1024;
  finding.height = 768;
  finding.timing = {1.5, 2.5, 3.5, 8.25};
  std::vector<Bytes> seeds = {to_bytes(encode_finding(finding))};
  finding.verdict = Verdict::kPneumonia;
  finding.bacterial = 61.5;
  finding.viral = 38.5;
  finding.heat = {3, 2, {0.0F, 0.25F, 0.5F, 0.7501F, 1.0F, 0.125F}};
  seeds.push_back(to_bytes(encode_finding(finding)));
  finding.severity =
      Severity{.extent = 12.5, .right_extent = 20, .left_extent = 5, .score = 3.25, .low = 0, .high = 7.5};
  finding.severity->zones[2] = {.extent = 60, .score = 2.25};
  seeds.push_back(to_bytes(encode_finding(finding)));
  return seeds;
}
