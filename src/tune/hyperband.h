#pragma once

#include <vector>

namespace xray {

/// One rung of a bracket: so many trials run until so many epochs.
struct Rung {
  int trials = 0;
  int epochs = 0;
};

/// The brackets of Hyperband (Li 2018, algorithm 1), the most aggressive first, for trials of at most
/// `max_epochs`, of which one in `factor` goes on.
std::vector<std::vector<Rung>> hyperband_brackets(int max_epochs, int factor);

}  // namespace xray
