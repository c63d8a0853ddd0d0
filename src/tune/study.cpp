#include "tune/study.h"

#include <iomanip>
#include <sstream>

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Json to_json(const StudySettings& s) {
  Json objectives = Json::array();
  for (const Objective& objective : s.objectives()) objectives.push_back(to_text(objective));
  return {{"space", s.space},
          {"objectives", objectives},
          {"tuner",
           {{"kind", s.tuner.kind},
            {"seed", s.tuner.seed},
            {"initial", s.tuner.initial},
            {"grid_points", s.tuner.grid_points},
            {"population", s.tuner.population},
            {"max_epochs", s.tuner.max_epochs},
            {"factor", s.tuner.factor}}},
          {"pruner",
           {{"kind", s.pruner.kind},
            {"factor", s.pruner.factor},
            {"warm_up", s.pruner.warm_up},
            {"least", s.pruner.least}}},
          {"folds", s.folds},
          {"use_folds", s.use_folds},
          {"executions", s.executions},
          {"epochs", s.epochs},
          {"max_parameters", s.max_parameters},
          {"threads", s.threads},
          {"retries", s.retries}};
}

Result<StudySettings> settings_from_json(const Json& json) try {
  StudySettings s;
  json.at("space").get_to(s.space);
  for (const Json& text : json.at("objectives")) {
    auto objective = objective_from(text.get<std::string>());
    if (!objective) return Error{ErrorCode::kStorage, objective.error().message};
    s.tuner.objectives.push_back(std::move(*objective));
  }
  const Json& tuner = json.at("tuner");
  tuner.at("kind").get_to(s.tuner.kind);
  tuner.at("seed").get_to(s.tuner.seed);
  tuner.at("initial").get_to(s.tuner.initial);
  tuner.at("grid_points").get_to(s.tuner.grid_points);
  tuner.at("population").get_to(s.tuner.population);
  tuner.at("max_epochs").get_to(s.tuner.max_epochs);
  tuner.at("factor").get_to(s.tuner.factor);
  const Json& pruner = json.at("pruner");
  pruner.at("kind").get_to(s.pruner.kind);
  pruner.at("factor").get_to(s.pruner.factor);
  pruner.at("warm_up").get_to(s.pruner.warm_up);
  pruner.at("least").get_to(s.pruner.least);
  json.at("folds").get_to(s.folds);
  json.at("use_folds").get_to(s.use_folds);
  json.at("executions").get_to(s.executions);
  json.at("epochs").get_to(s.epochs);
  json.at("max_parameters").get_to(s.max_parameters);
  json.at("threads").get_to(s.threads);
  json.at("retries").get_to(s.retries);
  if (s.tuner.objectives.empty()) return Error{ErrorCode::kStorage, "the study has no objective"};
  return s;
} catch (const nlohmann::json::exception& error) {
  return Error{ErrorCode::kStorage, std::string("the study's settings cannot be read: ") + error.what()};
}

std::string differences(const StudySettings& a, const StudySettings& b) {
  const Json left = to_json(a);
  const Json right = to_json(b);
  std::string names;
  for (const auto& [key, value] : left.items())
    if (right.at(key) != value) names += (names.empty() ? "" : ", ") + key;
  return names;
}

std::vector<std::string> trainer_arguments(const std::string& command, const StudySettings& settings,
                                           const Space& space, const Configuration& configuration,
                                           const std::string& data, int execution) {
  std::vector<std::string> arguments = {command, "--data", data};
  const auto add = [&](const std::string& option, std::int64_t value) {
    arguments.push_back("--" + option);
    arguments.push_back(std::to_string(value));
  };
  if (command == "crossval") add("folds", settings.folds);
  if (settings.epochs > 0) add("epochs", settings.epochs);
  add("seed", static_cast<std::int64_t>(settings.tuner.seed) + execution - 1);
  if (settings.threads > 0) add("threads", settings.threads);
  for (std::string& argument : space.arguments(configuration)) arguments.push_back(std::move(argument));
  return arguments;
}

std::string shell_line(const std::string& program, const std::vector<std::string>& arguments) {
  std::string line = program;
  for (const std::string& argument : arguments) {
    const bool plain =
        !argument.empty() && argument.find_first_not_of(
                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_-+=./:,@%") == std::string::npos;
    if (plain) {
      line += " " + argument;
      continue;
    }
    line += " '";
    for (const char c : argument) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += "'";
  }
  return line;
}

std::filesystem::path trial_folder(const std::filesystem::path& study, std::int64_t number) {
  std::ostringstream name;
  name << std::setw(4) << std::setfill('0') << number;
  return study / "trials" / name.str();
}

}  // namespace xray
