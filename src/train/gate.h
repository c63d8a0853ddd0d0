#pragma once

#include <map>
#include <string>
#include <vector>

#include "preprocess/lung_gate.h"

namespace xray {

/// A picture for the gate to learn from.
struct GateCase {
  FieldFacts facts{};
  std::string family;   ///< of pictures that are no upright frontal film: what is left out together
  std::string kind;     ///< within the family, for the report
  std::string patient;  ///< of films: kept on one side
};

/// How the gate does on what it was not fitted on.
struct GateQuality {
  double films_refused = 0;                     ///< share, of patients not fitted on
  std::map<std::string, double> refused;        ///< share by kind, its whole family not fitted on
  std::map<std::string, std::size_t> pictures;  ///< by kind
};

/// Fits mean, scale, weights and threshold of `gate`, whose templates are given: ridge-penalised
/// logistic regression (Newton's method), films against the rest, every family weighing the
/// same. The threshold refuses the share `refuse` of films of patients not fitted on (five folds).
/// std::invalid_argument without films or without others.
void fit_gate(LungGate& gate, const std::vector<GateCase>& films, const std::vector<GateCase>& others,
              double refuse);

/// The same with each family left out in turn, on the films' other half.
GateQuality judge_gate(const LungGate& gate, const std::vector<GateCase>& films,
                       const std::vector<GateCase>& others, double refuse);

}  // namespace xray
