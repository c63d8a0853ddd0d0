#include "preprocess/lung_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/phantom.h"

namespace xray {
namespace {

constexpr int kGrid = 64;

LungField field_of(const Image& mask) {
  LungField field{kGrid, kGrid, resize(mask, kGrid, kGrid).values};
  for (float& value : field.probability) value /= 255;
  return field;
}

double fact(const FieldFacts& facts, std::string_view name) {
  return facts[static_cast<std::size_t>(std::ranges::find(kFieldFacts, name) - kFieldFacts.begin())];
}

class LungGateTest : public testing::Test {
 protected:
  Image film_ = test::make_phantom({.width = 224, .height = 224});
  LungField lungs_ = field_of(test::make_phantom_lungs({.width = 224, .height = 224}));
  std::vector<FieldTemplate> templates_{align_field(lungs_).value()};
};

TEST_F(LungGateTest, DescribesAField) {
  const FieldFacts facts = field_facts(film_, lungs_, templates_).value();
  EXPECT_NEAR(fact(facts, "likeness"), 1, 1e-6) << "its own template";
  EXPECT_LT(fact(facts, "contrast"), 0) << "lungs are dark";
  EXPECT_NEAR(fact(facts, "parts"), std::log(2), 1e-9);
  EXPECT_GT(fact(facts, "balance"), 0.5);
}

TEST_F(LungGateTest, SeesAFieldFrayAndTurn) {
  const FieldFacts before = field_facts(film_, lungs_, templates_).value();
  LungField frayed = lungs_;
  for (float& p : frayed.probability) p = 0.3F + 0.4F * p;
  EXPECT_GT(fact(field_facts(film_, frayed, templates_).value(), "doubt"), fact(before, "doubt") + 1);
  LungField turned = lungs_;
  std::ranges::reverse(turned.probability);
  const FieldFacts upside_down = field_facts(film_, turned, templates_).value();
  EXPECT_LT(fact(upside_down, "likeness"), fact(before, "likeness"));
  EXPECT_NEAR(fact(upside_down, "taper"), -fact(before, "taper"), 1e-9);
}

TEST_F(LungGateTest, HasNothingToSayWithoutLungs) {
  const LungField none{kGrid, kGrid, std::vector<float>(kGrid * kGrid)};
  EXPECT_FALSE(align_field(none));
  EXPECT_FALSE(field_facts(film_, none, templates_));
  LungGate gate;
  gate.weights.assign(kGateTerms, 0);
  gate.scale.fill(1);
  EXPECT_EQ(gate_score(gate, film_, none), -std::numeric_limits<double>::infinity());
}

TEST_F(LungGateTest, ScoresByItsTerms) {
  LungGate gate{.templates = templates_};
  gate.scale.fill(1);
  gate.weights.assign(kGateTerms, 0);
  gate.weights[0] = 0.5;
  gate.weights[1] = 2;                       // likeness
  gate.weights[1 + kFieldFacts.size()] = 3;  // its square
  EXPECT_NEAR(gate_score(gate, film_, lungs_), 0.5 + 2 + 3, 1e-5);
  // Far out is held, so that no square runs away.
  gate.scale.fill(1e-6);
  EXPECT_NEAR(gate_score(gate, film_, lungs_), 0.5 + 2 * 6 + 3 * 36, 1e-9);
}

}  // namespace
}  // namespace xray
