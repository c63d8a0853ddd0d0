#include "diagnose/selftest.h"
#include "json_target.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto selftest = fuzz::read_and_write(data, size, selftest_from_json);
  if (!selftest) return 0;
  fuzz::require(!selftest->pictures.empty() && selftest->pictures.size() <= Selftest::kMostPictures);
  // What drawing one may cost.
  for (const SelftestPicture& picture : selftest->pictures)
    fuzz::require(picture.scale >= 1 && picture.scale <= 4 && picture.crop >= 0 && picture.crop <= 0.3);
  for (const auto* network : {&selftest->fp32, &selftest->int8}) {
    if (!*network) continue;
    fuzz::require((*network)->findings.size() == selftest->pictures.size());
    fuzz::require((*network)->log_odds_tolerance > 0 && (*network)->score_tolerance > 0);
  }
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  Selftest selftest{
      .pictures = {{.seed = 1}, {.seed = 2, .opacity = 0.5, .noise = 0.1, .scale = 2, .jpeg = true}},
      .fp32 = PinnedNetwork{.sha256 = std::string(64, 'a'),
                            .log_odds_tolerance = 0.1,
                            .score_tolerance = 1,
                            .findings = {{.pneumonia = 1.5, .score = 2},
                                         {.verdict = Verdict::kRejected, .reasons = {Reason::kUpsideDown}}}},
      .int8 = {}};
  std::vector<Bytes> seeds = {to_bytes(to_json(selftest).dump())};
  selftest.int8 = selftest.fp32;
  seeds.push_back(to_bytes(to_json(selftest).dump(2)));
  return seeds;
}
