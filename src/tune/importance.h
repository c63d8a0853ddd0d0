#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tune/space.h"
#include "tune/trial.h"

namespace xray {

/// How much of the differences in a figure a parameter alone explains: the share of the variance of a random
/// forest's prediction that is left when all other parameters are averaged out (functional ANOVA,
/// Hutter 2014, main effects). By name, the largest first; empty for fewer than eight trials that have the
/// figure, or where it never changes. The same input gives the same answer.
std::vector<std::pair<std::string, double>> parameter_importance(const Space& space,
                                                                 const std::vector<Trial>& trials,
                                                                 const std::string& figure);

}  // namespace xray
