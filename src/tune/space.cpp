#include "tune/space.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <sstream>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

/// How many steps fit between `min` and `max`; a value that rounding puts just outside counts.
std::size_t steps_between(const Parameter& p) {
  const double steps =
      p.scale == Scale::kLinear ? (p.max - p.min) / p.step : std::log(p.max / p.min) / std::log(p.step);
  return static_cast<std::size_t>(std::floor(steps + 1e-9));
}

Json number(const Parameter& p, double value) {
  if (p.kind == Parameter::Kind::kInteger) return static_cast<std::int64_t>(std::llround(value));
  // Six digits are enough for a trainer and readable for people: 0.1 + 0.2 is 0.3.
  std::ostringstream text;
  text.precision(6);
  text << value;
  return std::stod(text.str());
}

double lerp_log(double low, double high, double unit) {
  return low * std::pow(high / low, unit);
}

/// Where on 0..1 a number lies, without regard to steps.
double position(const Parameter& p, double low, double high, double value) {
  switch (p.scale) {
    case Scale::kLinear:
      return (value - low) / (high - low);
    case Scale::kLog:
      return std::log(value / low) / std::log(high / low);
    case Scale::kReverseLog:
      return 1 - std::log((low + high - value) / low) / std::log(high / low);
  }
  return 0;
}

double value_at(const Parameter& p, double low, double high, double unit) {
  switch (p.scale) {
    case Scale::kLinear:
      return low + (high - low) * unit;
    case Scale::kLog:
      return lerp_log(low, high, unit);
    case Scale::kReverseLog:
      return low + high - lerp_log(low, high, 1 - unit);
  }
  return low;
}

/// Integers without a step: each has the share of the range between the halves beside it.
bool is_plain_integer(const Parameter& p) {
  return p.kind == Parameter::Kind::kInteger && p.step == 0;
}

}  // namespace

std::string value_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::size_t Parameter::count() const {
  if (!is_number()) return values.size();
  if (step > 0) return steps_between(*this) + 1;
  return kind == Kind::kInteger ? static_cast<std::size_t>(max - min) + 1 : (min == max ? 1 : 0);
}

Json Parameter::at(double unit) const {
  unit = std::clamp(unit, 0.0, 1.0);
  if (!is_number() || step > 0) {
    const std::size_t n = count();
    const std::size_t index = std::min(n - 1, static_cast<std::size_t>(unit * static_cast<double>(n)));
    if (!is_number()) return values[index];
    const auto steps = static_cast<double>(index);
    if (scale == Scale::kLinear) return number(*this, min + steps * step);
    const double grown = min * std::pow(step, steps);
    return number(*this, scale == Scale::kLog
                             ? grown
                             : min + max - min * std::pow(step, static_cast<double>(n - 1) - steps));
  }
  if (min == max) return number(*this, min);
  if (!is_plain_integer(*this)) return number(*this, value_at(*this, min, max, unit));
  return number(*this, std::clamp(std::round(value_at(*this, min - 0.5, max + 0.5, unit)), min, max));
}

double Parameter::unit(const Json& value) const {
  if (!is_number() || step > 0) {
    const std::size_t n = count();
    for (std::size_t i = 0; i < n; ++i) {
      const double middle = (static_cast<double>(i) + 0.5) / static_cast<double>(n);
      const Json there = at(middle);
      if (there == value || (is_number() && std::abs(there.get<double>() - value.get<double>()) <=
                                                1e-6 * std::abs(there.get<double>())))
        return middle;
    }
    return 0.5;
  }
  if (min == max) return 0.5;
  const double half = is_plain_integer(*this) ? 0.5 : 0;
  return std::clamp(position(*this, min - half, max + half, value.get<double>()), 0.0, 1.0);
}

bool Parameter::accepts(const Json& value) const {
  if (!is_number()) return std::ranges::find(values, value) != values.end();
  if (!value.is_number() || (kind == Kind::kInteger && !value.is_number_integer())) return false;
  const double v = value.get<double>();
  const double slack = 1e-6 * std::max(std::abs(min), std::abs(max));
  if (!(v >= min - slack && v <= max + slack)) return false;
  if (step == 0) return true;
  return std::abs(at(unit(value)).get<double>() - v) <= slack;
}

bool Space::is_active(const Parameter& parameter, const Configuration& configuration) const {
  return std::ranges::all_of(parameter.when, [&](const Parameter::Condition& condition) {
    const auto parent = configuration.find(condition.parent);
    return parent != configuration.end() &&
           std::ranges::find(condition.values, *parent) != condition.values.end();
  });
}

Configuration Space::build(const std::function<Json(const Parameter&)>& value) const {
  Configuration configuration = Configuration::object();
  for (const Parameter& parameter : parameters_)
    if (is_active(parameter, configuration)) configuration[parameter.name] = value(parameter);
  return configuration;
}

Configuration Space::random(Random& random) const {
  return build([&](const Parameter& parameter) { return parameter.at(random.uniform()); });
}

Configuration Space::defaults() const {
  return build([](const Parameter& p) { return p.start.is_null() ? p.at(0) : p.start; });
}

namespace {

/// Values of the grid: all there are, or `points` of a continuum, its ends among them.
std::vector<Json> grid_values(const Parameter& p, int points) {
  std::vector<Json> values;
  const std::size_t n = p.count();
  const bool all = n > 0 && (p.step > 0 || !p.is_number() || n <= static_cast<std::size_t>(points));
  const std::size_t wanted = all ? n : static_cast<std::size_t>(points);
  for (std::size_t i = 0; i < wanted; ++i) {
    const auto at = static_cast<double>(i);
    const auto of = static_cast<double>(wanted);
    const Json value = p.at(all || wanted == 1 ? (at + 0.5) / of : at / (of - 1));
    if (values.empty() || values.back() != value) values.push_back(value);
  }
  return values;
}

/// Calls `visit` with every configuration of the grid until it returns false.
void walk_grid(const Space& space, int points, const std::function<bool(const Configuration&)>& visit) {
  const std::vector<Parameter>& parameters = space.parameters();
  const std::function<bool(std::size_t, const Configuration&)> descend = [&](std::size_t next,
                                                                             const Configuration& so_far) {
    while (next < parameters.size() && !space.is_active(parameters[next], so_far)) ++next;
    if (next == parameters.size()) return visit(so_far);
    for (const Json& value : grid_values(parameters[next], points)) {
      Configuration further = so_far;
      further[parameters[next].name] = value;
      if (!descend(next + 1, further)) return false;
    }
    return true;
  };
  descend(0, Configuration::object());
}

}  // namespace

Configuration Space::grid(std::size_t index, int points) const {
  Configuration found;
  std::size_t seen = 0;
  walk_grid(*this, points, [&](const Configuration& configuration) {
    if (seen++ < index) return true;
    found = configuration;
    return false;
  });
  return found;
}

std::size_t Space::grid_size(int points, std::size_t most) const {
  std::size_t size = 0;
  walk_grid(*this, points, [&](const Configuration&) { return ++size < most; });
  return size;
}

bool Space::accepts(const Configuration& configuration) const {
  if (!configuration.is_object()) return false;
  std::size_t expected = 0;
  for (const Parameter& parameter : parameters_) {
    if (!is_active(parameter, configuration)) continue;
    const auto value = configuration.find(parameter.name);
    if (value == configuration.end() || !parameter.accepts(*value)) return false;
    ++expected;
  }
  return configuration.size() == expected;
}

std::vector<double> Space::encode(const Configuration& configuration) const {
  std::vector<double> point;
  for (const Parameter& parameter : parameters_) {
    if (parameter.count() == 1) continue;
    const auto value = configuration.find(parameter.name);
    const bool exists = value != configuration.end();
    if (parameter.is_number()) {
      point.push_back(exists ? parameter.unit(*value) : 0.5);
      continue;
    }
    for (const Json& choice : parameter.values)
      point.push_back(exists ? (choice == *value ? 1.0 : 0.0)
                             : 1.0 / static_cast<double>(parameter.values.size()));
  }
  return point;
}

std::vector<std::string> Space::arguments(const Configuration& configuration) const {
  std::vector<std::string> all;
  for (const Parameter& parameter : parameters_) {
    const auto value = configuration.find(parameter.name);
    if (value == configuration.end()) continue;
    const std::size_t blank = parameter.option.find(' ');
    all.push_back("--" + parameter.option.substr(0, blank));
    if (value->is_boolean()) {
      // A flag is there or it is not.
      if (!value->get<bool>()) all.pop_back();
      continue;
    }
    all.push_back(blank == std::string::npos ? value_text(*value)
                                             : parameter.option.substr(blank + 1) + "=" + value_text(*value));
  }
  return all;
}

std::string Space::summary() const {
  std::ostringstream out;
  const auto list = [](const std::vector<Json>& values) {
    std::string text;
    for (const Json& value : values) text += (text.empty() ? "" : ", ") + value_text(value);
    return text;
  };
  std::size_t width = 0;
  for (const Parameter& p : parameters_) width = std::max(width, p.name.size());
  for (const Parameter& p : parameters_) {
    out << p.name << std::string(width + 2 - p.name.size(), ' ');
    if (p.is_number()) {
      out << (p.kind == Parameter::Kind::kInteger ? "int    " : "float  ") << value_text(number(p, p.min))
          << " to " << value_text(number(p, p.max));
      if (p.scale != Scale::kLinear) out << (p.scale == Scale::kLog ? ", log" : ", reverse log");
      if (p.step > 0) out << (p.scale == Scale::kLinear ? ", step " : ", factor ") << p.step;
    } else if (p.kind == Parameter::Kind::kFixed) {
      out << "fixed  " << value_text(p.values.front());
    } else {
      out << (p.kind == Parameter::Kind::kBoolean ? "bool   " : "choice ") << list(p.values);
    }
    if (!p.start.is_null()) out << "; default " << value_text(p.start);
    for (const Parameter::Condition& condition : p.when)
      out << "; where " << condition.parent << " is " << list(condition.values);
    out << '\n';
  }
  return out.str();
}

Json Space::to_json() const {
  Json all = Json::array();
  for (const Parameter& p : parameters_) {
    static constexpr const char* kKinds[] = {"int", "float", "choice", "bool", "fixed"};
    static constexpr const char* kScales[] = {"linear", "log", "reverse-log"};
    Json one = {{"name", p.name}, {"kind", kKinds[static_cast<int>(p.kind)]}};
    if (p.is_number()) {
      one["min"] = number(p, p.min);
      one["max"] = number(p, p.max);
      one["scale"] = kScales[static_cast<int>(p.scale)];
      if (p.step > 0) one["step"] = p.step;
    } else {
      one["values"] = p.values;
    }
    if (!p.start.is_null()) one["default"] = p.start;
    for (const Parameter::Condition& c : p.when) one["when"][c.parent] = c.values;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace xray
