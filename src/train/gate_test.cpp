#include "train/gate.h"

#include <gtest/gtest.h>

#include "common/random.h"

namespace xray {
namespace {

/// Cases whose facts lie around `centre`.
std::vector<GateCase> cloud(int count, double centre, std::uint64_t seed, const std::string& family) {
  Random random(seed);
  std::vector<GateCase> cases;
  for (int i = 0; i < count; ++i) {
    GateCase c{.family = family, .kind = family, .patient = "p" + std::to_string(i / 2)};
    for (double& fact : c.facts) fact = centre + random.normal();
    cases.push_back(c);
  }
  return cases;
}

TEST(Gate, RefusesFamiliesItHasNeverSeenAndHardlyAnyFilm) {
  const auto films = cloud(600, 0, 1, "");
  auto others = cloud(200, 4, 2, "above");
  for (const auto& [centre, name] : {std::pair{-4.0, "below"}, std::pair{7.0, "far above"}})
    for (const GateCase& c : cloud(200, centre, 3, name)) others.push_back(c);
  const GateQuality quality = judge_gate({}, films, others, 0.01);
  EXPECT_LT(quality.films_refused, 0.04);
  for (const auto& [kind, share] : quality.refused) EXPECT_GT(share, 0.95) << kind;
  EXPECT_EQ(quality.pictures.at("below"), 200U);

  LungGate gate;
  fit_gate(gate, films, others, 0.01);
  const auto share_refused = [&](const std::vector<GateCase>& cases) {
    double refused = 0;
    for (const GateCase& c : cases) refused += gate_score(gate, c.facts) < gate.threshold ? 1 : 0;
    return refused / static_cast<double>(cases.size());
  };
  EXPECT_LT(share_refused(cloud(600, 0, 9, "")), 0.04);
  EXPECT_EQ(share_refused(others), 1);
}

TEST(Gate, NeedsBothSides) {
  LungGate gate;
  EXPECT_THROW(fit_gate(gate, cloud(10, 0, 1, ""), {}, 0.01), std::invalid_argument);
  EXPECT_THROW(fit_gate(gate, {}, cloud(10, 4, 1, "x"), 0.01), std::invalid_argument);
}

}  // namespace
}  // namespace xray
