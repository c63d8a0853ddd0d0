#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/random.h"
#include "common/result.h"

namespace xray {

/// Values of a trial's parameters by their full names, those alone that exist in it; in the order of
/// the space.
using Configuration = nlohmann::ordered_json;

/// "adam" for text, the shortest that reads back the same for numbers.
std::string value_text(const nlohmann::ordered_json& value);

enum class Scale { kLinear, kLog, kReverseLog };

/// One hyperparameter: an option of the trainer and what it may be.
struct Parameter {
  enum class Kind { kInteger, kFloat, kChoice, kBoolean, kFixed };
  /// It exists only where another has one of these values.
  struct Condition {
    std::string parent;
    std::vector<nlohmann::ordered_json> values;
  };

  std::string name;    ///< with its scopes: "cnn.filters"
  std::string option;  ///< of the trainer: "filters"; "augment gamma" for --augment gamma=...
  Kind kind = Kind::kFixed;
  double min = 0;  ///< of numbers
  double max = 0;
  double step = 0;  ///< between numbers; on a log scale a factor. 0: none
  Scale scale = Scale::kLinear;
  std::vector<nlohmann::ordered_json> values;  ///< of kChoice, kBoolean; the one of kFixed
  nlohmann::ordered_json start;                ///< "default"; null where none is given
  std::vector<Condition> when;                 ///< all of them hold

  bool is_number() const { return kind == Kind::kInteger || kind == Kind::kFloat; }
  /// Different values that it can have; 0: a continuum.
  std::size_t count() const;
  /// The value at `unit` of its range, 0 to 1, so that an even spread there is one on its scale.
  nlohmann::ordered_json at(double unit) const;
  /// The middle of where at() gives `value`.
  double unit(const nlohmann::ordered_json& value) const;
  /// Whether at() could give it.
  bool accepts(const nlohmann::ordered_json& value) const;
};

/// What a study searches through. Immutable, thread-safe.
class Space {
 public:
  static constexpr std::size_t kMaxParameters = 100;
  static constexpr std::size_t kMaxValues = 1000;  ///< of one choice

  /// Reads the TOML of a space (docs/tuning.md). kInvalidArgument, naming line or parameter.
  static Result<Space> parse(std::string_view toml);

  /// Parents before those that depend on them.
  const std::vector<Parameter>& parameters() const { return parameters_; }

  /// Whether the parameter exists, given the values of its parents.
  bool is_active(const Parameter& parameter, const Configuration& configuration) const;
  /// Asks `value` for each parameter that exists, parents first.
  Configuration build(const std::function<nlohmann::ordered_json(const Parameter&)>& value) const;
  Configuration random(Random& random) const;
  /// Each at its default, else at its first value or lower end.
  Configuration defaults() const;
  /// Configuration number `index` of the grid, a continuum standing for `points` values; null past the last.
  Configuration grid(std::size_t index, int points) const;
  /// Every way to go through the grid, at most `most`.
  std::size_t grid_size(int points, std::size_t most) const;

  /// Whether it has just the parameters it should have, each with a value that it may have.
  bool accepts(const Configuration& configuration) const;

  /// As a point for models: a number per numeric parameter, one per value of a choice, each 0 to 1; what does
  /// not exist lies in the middle of its range.
  std::vector<double> encode(const Configuration& configuration) const;

  /// Options of the trainer, as on its command line.
  std::vector<std::string> arguments(const Configuration& configuration) const;

  /// For people: a line per parameter.
  std::string summary() const;
  nlohmann::ordered_json to_json() const;

 private:
  std::vector<Parameter> parameters_;
};

}  // namespace xray
