// Compiled here, without exceptions: no library is needed where xray runs.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "tune/space.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxToml = 1U << 20U;
constexpr std::size_t kMaxScopes = 8;

Error wrong(const toml::node& node, const std::string& what) {
  return {ErrorCode::kInvalidArgument, "line " + std::to_string(node.source().begin.line) + ": " + what};
}

/// Null where it is no scalar that a parameter can have.
Json scalar(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  if (const auto* real = node.as_floating_point(); real != nullptr && std::isfinite(real->get()))
    return real->get();
  return nullptr;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string_view::npos;
}

/// Keys and values as they stand in the file; a table sorts its keys.
std::vector<std::pair<std::string, const toml::node*>> in_file_order(const toml::table& table) {
  std::vector<std::pair<std::string, const toml::node*>> all;
  for (const auto& [key, node] : table) all.emplace_back(std::string(key.str()), &node);
  std::ranges::stable_sort(all, {}, [](const auto& entry) {
    return std::pair(entry.second->source().begin.line, entry.second->source().begin.column);
  });
  return all;
}

/// Reads parameters scope by scope into a list.
class Reader {
 public:
  Result<std::vector<Parameter>> read(const toml::table& root) {
    for (const auto& [key, node] : root)
      if (key != "fixed" && key != "parameters")
        return wrong(node, "'" + std::string(key.str()) + "' is neither 'fixed' nor 'parameters'");
    if (const toml::node* fixed = root.get("fixed")) {
      const toml::table* table = fixed->as_table();
      if (table == nullptr) return wrong(*fixed, "'fixed' is not a table");
      for (const auto& [key, node] : in_file_order(*table))
        if (auto read = fixed_value(key, *node); !read) return read.error();
    }
    if (const toml::node* parameters = root.get("parameters")) {
      const toml::table* table = parameters->as_table();
      if (table == nullptr) return wrong(*parameters, "'parameters' is not a table");
      if (auto read = scope("", *table, {}); !read) return read.error();
    }
    return std::move(found_);
  }

 private:
  Result<Done> fixed_value(const std::string& key, const toml::node& node) {
    // [fixed.augment] gamma = 0.8
    if (const toml::table* table = node.as_table()) {
      if (key != "augment") return wrong(node, "'" + key + "' is a table");
      for (const auto& [inner, value] : *table)
        if (auto read = add_fixed("augment." + std::string(inner.str()), value, {}); !read)
          return read.error();
      return Done{};
    }
    return add_fixed(key, node, {});
  }

  Result<Done> add_fixed(const std::string& name, const toml::node& node,
                         std::vector<Parameter::Condition> when) {
    Parameter parameter{.name = name, .option = option_of(name), .when = std::move(when)};
    parameter.values.push_back(scalar(node));
    if (parameter.values.front().is_null())
      return wrong(node, "'" + name + "' is not a text, number or boolean");
    return add(std::move(parameter), node);
  }

  /// "cnn.filters" is --filters, "augment.gamma" and "cnn.augment.gamma" are --augment gamma=...
  static std::string option_of(const std::string& name) {
    const std::size_t last = name.rfind('.');
    if (last == std::string::npos) return name;
    const std::string inner = name.substr(last + 1);
    const std::string outer = name.substr(0, last);
    const bool augments = outer == "augment" || outer.ends_with(".augment");
    return augments ? "augment " + inner : inner;
  }

  Result<Done> add(Parameter parameter, const toml::node& node) {
    if (found_.size() >= Space::kMaxParameters)
      return wrong(node, "more than " + std::to_string(Space::kMaxParameters) + " parameters");
    if (!names_.insert(parameter.name).second) return wrong(node, "'" + parameter.name + "' is named twice");
    found_.push_back(std::move(parameter));
    return Done{};
  }

  Result<Done> scope(const std::string& prefix, const toml::table& table,
                     const std::vector<Parameter::Condition>& outer) {
    if (++depth_ > kMaxScopes) return wrong(table, "scopes are nested too deep");
    for (const auto& [key, node] : in_file_order(table)) {
      if (key == "when" && !prefix.empty()) continue;
      const std::string name = (prefix.empty() ? "" : prefix + ".") + key;
      const toml::table* inner = node->as_table();
      if (!is_name(key)) return wrong(*node, "'" + name + "' is not a name (letters, digits, - and _)");
      if (inner == nullptr) return wrong(*node, "'" + name + "' is not a table; a parameter has a 'type'");
      std::vector<Parameter::Condition> when = outer;
      if (const toml::node* conditions = inner->get("when"))
        if (auto read = add_conditions(*conditions, when); !read) return read.error();
      const toml::node* type = inner->get("type");
      auto read = type != nullptr && !type->is_table() ? parameter(name, *inner, std::move(when))
                                                       : scope(name, *inner, when);
      if (!read) return read.error();
    }
    --depth_;
    return Done{};
  }

  static Result<Done> add_conditions(const toml::node& node, std::vector<Parameter::Condition>& when) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return wrong(node, "'when' is not a table such as { arch = \"cnn3\" }");
    for (const auto& [key, wanted] : *table) {
      Parameter::Condition condition{std::string(key.str()), {}};
      if (const toml::array* several = wanted.as_array()) {
        for (const toml::node& value : *several) condition.values.push_back(scalar(value));
      } else {
        condition.values.push_back(scalar(wanted));
      }
      for (const Json& value : condition.values)
        if (value.is_null()) return wrong(wanted, "a value of 'when' is not a text, number or boolean");
      when.push_back(std::move(condition));
    }
    return Done{};
  }

  Result<Done> parameter(const std::string& name, const toml::table& table,
                         std::vector<Parameter::Condition> when) {
    const std::string type = table["type"].value_or(std::string());
    static const std::map<std::string, std::set<std::string_view>> kKeys = {
        {"int", {"min", "max", "step", "scale"}},
        {"float", {"min", "max", "step", "scale"}},
        {"choice", {"values"}},
        {"bool", {}},
        {"fixed", {"value"}}};
    const auto keys = kKeys.find(type);
    if (keys == kKeys.end())
      return wrong(table, "'" + name + "': type is int, float, choice, bool or fixed, not '" + type + "'");
    for (const auto& [key, node] : table) {
      static const std::set<std::string_view> kAlways = {"type", "default", "when", "option"};
      if (!kAlways.contains(key.str()) && !keys->second.contains(key.str()))
        return wrong(node, "'" + name + "': " + type + " has no '" + std::string(key.str()) + "'");
    }
    if (type == "fixed") {
      const toml::node* value = table.get("value");
      if (value == nullptr) return wrong(table, "'" + name + "' has no value");
      return add_fixed(name, *value, std::move(when));
    }
    Parameter parameter{.name = name, .option = option_of(name), .when = std::move(when)};
    if (const auto option = table["option"].value<std::string>()) {
      if (!is_name(*option)) return wrong(table, "'" + name + "': the option is not a name");
      parameter.option = *option;
    }
    auto filled = type == "choice" ? read_choice(parameter, table)
                  : type == "bool" ? read_boolean(parameter)
                                   : read_number(parameter, table, type == "int");
    if (!filled) return filled.error();
    if (const toml::node* start = table.get("default")) {
      parameter.start = scalar(*start);
      if (parameter.kind == Parameter::Kind::kFloat && parameter.start.is_number())
        parameter.start = parameter.start.get<double>();
      if (!parameter.accepts(parameter.start))
        return wrong(*start, "'" + name + "': the default is not one of its values");
    }
    return add(std::move(parameter), table);
  }

  static Result<Done> read_boolean(Parameter& parameter) {
    parameter.kind = Parameter::Kind::kBoolean;
    parameter.values = {false, true};
    return Done{};
  }

  static Result<Done> read_choice(Parameter& parameter, const toml::table& table) {
    parameter.kind = Parameter::Kind::kChoice;
    const toml::array* values = table["values"].as_array();
    if (values == nullptr || values->empty() || values->size() > Space::kMaxValues)
      return wrong(table, "'" + parameter.name + "': a choice has 1 to " + std::to_string(Space::kMaxValues) +
                              " values");
    for (const toml::node& node : *values) {
      Json value = scalar(node);
      if (value.is_null())
        return wrong(node, "'" + parameter.name + "': a value is not a text, number or boolean");
      if (std::ranges::find(parameter.values, value) != parameter.values.end())
        return wrong(node, "'" + parameter.name + "': " + value_text(value) + " stands there twice");
      parameter.values.push_back(std::move(value));
    }
    return Done{};
  }

  static Result<Done> read_number(Parameter& p, const toml::table& table, bool integer) {
    p.kind = integer ? Parameter::Kind::kInteger : Parameter::Kind::kFloat;
    const auto get = [&](const char* key, std::optional<double> otherwise) -> Result<double> {
      const toml::node* node = table.get(key);
      if (node == nullptr) {
        if (otherwise) return *otherwise;
        return wrong(table, "'" + p.name + "' has no " + key);
      }
      const Json value = scalar(*node);
      const bool fits = integer ? value.is_number_integer() : value.is_number();
      if (!fits || std::abs(value.get<double>()) > 1e15)
        return wrong(*node, "'" + p.name + "': " + key + " is not " + (integer ? "an integer" : "a number"));
      return value.get<double>();
    };
    const auto min = get("min", std::nullopt);
    if (!min) return min.error();
    const auto max = get("max", std::nullopt);
    if (!max) return max.error();
    const auto step = get("step", 0.0);
    if (!step) return step.error();
    p.min = *min;
    p.max = *max;
    p.step = *step;
    const std::string scale = table["scale"].value_or(std::string("linear"));
    if (scale != "linear" && scale != "log" && scale != "reverse-log")
      return wrong(table, "'" + p.name + "': scale is linear, log or reverse-log");
    p.scale = scale == "log" ? Scale::kLog : scale == "reverse-log" ? Scale::kReverseLog : Scale::kLinear;
    if (!(p.min <= p.max)) return wrong(table, "'" + p.name + "': min is above max");
    if (p.scale != Scale::kLinear && p.min <= 0)
      return wrong(table, "'" + p.name + "': a log scale begins above 0");
    if (p.step < 0 || (p.step > 0 && p.scale != Scale::kLinear && p.step <= 1))
      return wrong(table,
                   "'" + p.name + "': a step is above 0, on a log scale (where it is a factor) above 1");
    constexpr double kMostSteps = 1e6;
    const double steps = p.step == 0                 ? 0
                         : p.scale == Scale::kLinear ? (p.max - p.min) / p.step
                                                     : std::log(p.max / p.min) / std::log(p.step);
    if (steps > kMostSteps) return wrong(table, "'" + p.name + "': more than a million steps");
    return Done{};
  }

  std::vector<Parameter> found_;
  std::set<std::string> names_;
  std::size_t depth_ = 0;
};

Error of(const Parameter& parameter, const std::string& what) {
  return {ErrorCode::kInvalidArgument, "'" + parameter.name + "': " + what};
}

/// Parents in front of those that depend on them, else as they stood.
Result<std::vector<Parameter>> in_order(std::vector<Parameter> parameters) {
  std::map<std::string, const Parameter*> by_name;
  for (const Parameter& parameter : parameters) by_name[parameter.name] = &parameter;
  for (const Parameter& parameter : parameters) {
    for (const Parameter::Condition& condition : parameter.when) {
      const auto parent = by_name.find(condition.parent);
      if (parent == by_name.end())
        return of(parameter, "there is no '" + condition.parent + "' to depend on");
      for (const Json& value : condition.values)
        if (!parent->second->accepts(value))
          return of(parameter, "'" + condition.parent + "' is never " + value_text(value));
    }
  }
  std::vector<Parameter> ordered;
  std::set<std::string> placed;
  while (ordered.size() < parameters.size()) {
    const std::size_t before = ordered.size();
    for (const Parameter& parameter : parameters) {
      const bool ready =
          std::ranges::all_of(parameter.when, [&](const auto& c) { return placed.contains(c.parent); });
      if (!ready || placed.contains(parameter.name)) continue;
      placed.insert(parameter.name);
      ordered.push_back(parameter);
    }
    if (ordered.size() == before) {
      for (const Parameter& parameter : parameters)
        if (!placed.contains(parameter.name)) return of(parameter, "its conditions go round in a circle");
    }
  }
  return ordered;
}

/// Whether two parameters never exist at the same time: one parent, no value in common.
bool exclude_each_other(const Parameter& a, const Parameter& b) {
  for (const auto& x : a.when)
    for (const auto& y : b.when)
      if (x.parent == y.parent && std::ranges::none_of(x.values, [&](const Json& value) {
            return std::ranges::find(y.values, value) != y.values.end();
          }))
        return true;
  return false;
}

/// The line of the first letter outside of ASCII that stands in neither a string nor a comment, where TOML
/// has no use for one; 0: there is none. Asked before the parser sees the text, whose table of white space
/// (toml++ 3.3) is undefined for some of these.
std::size_t line_of_stray_letter(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  std::size_t line = 1;
  std::string_view open;  // how the string or comment that we are in ends; empty: in none
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    const char c = rest.front();
    std::size_t step = 1;
    if (open.empty()) {
      if (static_cast<unsigned char>(c) >= 0x80) return line;
      if (c == '#') open = "\n";
      for (const std::string_view quote : {"\"\"\"", "'''", "\"", "'"})
        if (open.empty() && rest.starts_with(quote)) {
          open = quote;
          step = quote.size();
        }
    } else if (rest.starts_with(open)) {
      step = open.size();
      // Up to two more quotes belong to a string of several lines that they end.
      while (open.size() == 3 && step < 5 && step < rest.size() && rest[step] == open.front()) ++step;
      open = {};
    } else if (c == '\\' && open.front() == '"') {
      step = 2;
    } else if (c == '\n' && open.size() == 1) {
      open = {};  // a string left open, which the parser will tell
    }
    for (const char passed : rest.substr(0, step)) line += passed == '\n' ? 1 : 0;
    at += step;
  }
  return 0;
}

}  // namespace

Result<Space> Space::parse(std::string_view text) {
  if (text.size() > kMaxToml) return Error{ErrorCode::kTooLarge, "larger than 1 MiB"};
  if (const std::size_t line = line_of_stray_letter(text); line > 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "line " + std::to_string(line) + ": a letter outside of ASCII that stands in no quotes"};
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Error{ErrorCode::kInvalidArgument, "line " + std::to_string(parsed.error().source().begin.line) +
                                                  ": " + std::string(parsed.error().description())};
  }
  auto read = Reader().read(parsed.table());
  if (!read) return read.error();
  auto ordered = in_order(std::move(*read));
  if (!ordered) return ordered.error();
  if (ordered->empty()) return Error{ErrorCode::kInvalidArgument, "there are no parameters"};
  for (std::size_t i = 0; i < ordered->size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if ((*ordered)[i].option == (*ordered)[k].option && !exclude_each_other((*ordered)[i], (*ordered)[k]))
        return of((*ordered)[i],
                  "sets the same option as '" + (*ordered)[k].name + "' and may exist beside it");
  Space space;
  space.parameters_ = std::move(*ordered);
  return space;
}

}  // namespace xray
