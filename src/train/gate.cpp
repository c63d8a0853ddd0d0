#include "train/gate.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <stdexcept>
#include <string_view>

#include "common/random.h"

namespace xray {
namespace {

using torch::Tensor;

constexpr int kFolds = 5;
/// Of the squared weights, on the mean loss: the facts are few and the films many.
constexpr double kRidge = 1e-3;
constexpr int kNewtonSteps = 30;

/// The same for a patient in every run.
int fold_of(std::string_view patient, int folds) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : patient) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return static_cast<int>(Random(hash).below(static_cast<std::uint64_t>(folds)));
}

void standardise(LungGate& gate, const std::vector<const GateCase*>& films) {
  const auto n = static_cast<double>(films.size());
  for (std::size_t i = 0; i < gate.mean.size(); ++i) {
    double sum = 0;
    double squares = 0;
    for (const GateCase* film : films) {
      sum += film->facts[i];
      squares += film->facts[i] * film->facts[i];
    }
    gate.mean[i] = sum / n;
    gate.scale[i] = std::sqrt(std::max(squares / n - gate.mean[i] * gate.mean[i], 1e-6));
  }
}

void fit_weights(LungGate& gate, const std::vector<const GateCase*>& films,
                 const std::vector<const GateCase*>& others) {
  if (films.empty() || others.empty()) throw std::invalid_argument("a gate needs films and other pictures");
  standardise(gate, films);
  std::map<std::string, double> family_sizes;
  for (const GateCase* other : others) family_sizes[other->family] += 1;
  const auto rows = static_cast<std::int64_t>(films.size() + others.size());
  const Tensor terms = torch::empty({rows, static_cast<std::int64_t>(kGateTerms)}, torch::kDouble);
  const Tensor truth = torch::empty({rows}, torch::kDouble);
  const Tensor weight = torch::empty({rows}, torch::kDouble);
  std::int64_t row = 0;
  const auto add = [&](const GateCase& c, bool film, double share) {
    const auto values = gate_terms(gate, c.facts);
    std::copy(values.begin(), values.end(),
              terms.data_ptr<double>() + row * static_cast<std::int64_t>(kGateTerms));
    truth.data_ptr<double>()[row] = film ? 1 : 0;
    weight.data_ptr<double>()[row++] = share / 2;
  };
  for (const GateCase* film : films) add(*film, true, 1 / static_cast<double>(films.size()));
  for (const GateCase* other : others)
    add(*other, false, 1 / (family_sizes[other->family] * static_cast<double>(family_sizes.size())));

  Tensor beta = torch::zeros({static_cast<std::int64_t>(kGateTerms)}, torch::kDouble);
  Tensor penalty = torch::full({static_cast<std::int64_t>(kGateTerms)}, kRidge, torch::kDouble);
  penalty[0] = 0;
  for (int step = 0; step < kNewtonSteps; ++step) {
    const Tensor p = torch::sigmoid(terms.mv(beta));
    const Tensor gradient = terms.t().mv(weight * (p - truth)) + penalty * beta;
    const Tensor curvature = (weight * p * (1 - p)).clamp_min(1e-12);
    const Tensor hessian = terms.t().mm(terms * curvature.unsqueeze(1)) + torch::diag(penalty + 1e-9);
    Tensor move = torch::linalg_solve(hessian, gradient.unsqueeze(1), true).squeeze(1);
    // Far from the optimum a whole Newton step can overshoot.
    move = move / std::max(1.0, move.norm().item<double>() / 5);
    beta = beta - move;
    if (move.norm().item<double>() < 1e-9) break;
  }
  gate.weights.assign(beta.data_ptr<double>(), beta.data_ptr<double>() + kGateTerms);
}

std::vector<const GateCase*> chosen(const std::vector<GateCase>& cases,
                                    const std::function<bool(const GateCase&)>& wanted) {
  std::vector<const GateCase*> result;
  for (const GateCase& c : cases)
    if (wanted(c)) result.push_back(&c);
  return result;
}

double lowest_share(std::vector<double> scores, double share) {
  std::sort(scores.begin(), scores.end());
  return scores[static_cast<std::size_t>(share * static_cast<double>(scores.size() - 1))];
}

}  // namespace

void fit_gate(LungGate& gate, const std::vector<GateCase>& films, const std::vector<GateCase>& others,
              double refuse) {
  const auto all_others = chosen(others, [](const GateCase&) { return true; });
  std::vector<double> held_out;
  for (int fold = 0; fold < kFolds; ++fold) {
    LungGate trial = gate;
    fit_weights(trial, chosen(films, [&](const GateCase& c) { return fold_of(c.patient, kFolds) != fold; }),
                all_others);
    for (const GateCase& film : films)
      if (fold_of(film.patient, kFolds) == fold) held_out.push_back(gate_score(trial, film.facts));
  }
  fit_weights(gate, chosen(films, [](const GateCase&) { return true; }), all_others);
  gate.threshold = lowest_share(held_out, refuse);
}

GateQuality judge_gate(const LungGate& gate, const std::vector<GateCase>& films,
                       const std::vector<GateCase>& others, double refuse) {
  std::set<std::string> families;
  for (const GateCase& other : others) families.insert(other.family);
  std::vector<GateCase> known;
  std::vector<GateCase> unknown;
  for (const GateCase& film : films) (fold_of(film.patient, 2) == 0 ? known : unknown).push_back(film);

  GateQuality quality;
  std::map<std::string, double> refused;
  for (const std::string& family : families) {
    std::vector<GateCase> rest;
    std::copy_if(others.begin(), others.end(), std::back_inserter(rest),
                 [&](const GateCase& c) { return c.family != family; });
    LungGate trial = gate;
    fit_gate(trial, known, rest, refuse);
    double films_refused = 0;
    for (const GateCase& film : unknown)
      films_refused += gate_score(trial, film.facts) < trial.threshold ? 1 : 0;
    quality.films_refused +=
        films_refused / static_cast<double>(unknown.size()) / static_cast<double>(families.size());
    for (const GateCase& other : others) {
      if (other.family != family) continue;
      quality.pictures[other.kind] += 1;
      refused[other.kind] += gate_score(trial, other.facts) < trial.threshold ? 1 : 0;
    }
  }
  for (const auto& [kind, count] : refused)
    quality.refused[kind] = count / static_cast<double>(quality.pictures[kind]);
  return quality;
}

}  // namespace xray
