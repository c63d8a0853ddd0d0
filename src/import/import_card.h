#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "model/card.h"

namespace xray {

enum class ColourChannels { kGray, kRgb, kBgr };
enum class Layout { kNhwc, kNchw };

/// The pixels that a network of others was trained on: of gray levels g (0..255) it sees
/// (g - mean) / scale, in every channel with the channel's numbers.
struct ForeignInput {
  int width = 0;
  int height = 0;
  ColourChannels channels = ColourChannels::kGray;
  std::optional<Layout> layout;  ///< where the graph leaves a doubt
  std::array<double, 3> mean{};  ///< in the network's order of channels; the first for gray
  std::array<double, 3> scale{1, 1, 1};
  Fit fit = Fit::kSquash;
  Interpolation interpolation = Interpolation::kAntialiased;

  int channel_count() const { return channels == ColourChannels::kGray ? 1 : 3; }
  /// Whether it sees gray levels as they are.
  bool is_plain() const;
};

/// What a network of others answers.
struct ForeignOutput {
  std::string name;            ///< empty: it has one alone
  bool probabilities = false;  ///< else logits
  /// Of the values in their order; of one value the class that it speaks for.
  std::vector<std::string> classes;
};

/// What the one who brings a network tells of it.
struct ImportCard {
  ForeignInput input;
  ForeignOutput output;
  /// The package's card but for the network's files and where it came from: its input is the whole film
  /// in gray levels, since the network that is written does the rest itself.
  ModelCard card;
};

/// kBadModel, naming the field, for anything missing, of the wrong type, out of range or unknown.
Result<ImportCard> import_card_from_json(const nlohmann::ordered_json& json);

}  // namespace xray
