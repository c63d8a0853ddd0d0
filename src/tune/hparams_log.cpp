#include "tune/hparams_log.h"

#include <tensorboard.pb.h>

#include <cmath>
#include <iomanip>
#include <sstream>

#include "tensorboard/event_file.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

void set(google::protobuf::Value& to, const Json& value) {
  if (value.is_boolean())
    to.set_bool_value(value.get<bool>());
  else if (value.is_number())
    to.set_number_value(value.get<double>());
  else
    to.set_string_value(value_text(value));
}

void write_plugin_data(EventFile& file, const std::string& tag, tensorboard::HParamsPluginData& data) {
  tensorboard::Event event;
  event.set_wall_time(wall_time());
  auto& value = *event.mutable_summary()->add_value();
  value.set_tag("_hparams_/" + tag);
  auto& plugin = *value.mutable_metadata()->mutable_plugin_data();
  plugin.set_plugin_name("hparams");
  data.set_version(0);
  plugin.set_content(data.SerializeAsString());
  file.write(event);
}

tensorboard::DataType type_of(const Parameter& parameter) {
  if (parameter.is_number()) return tensorboard::DATA_TYPE_FLOAT64;
  if (parameter.values.front().is_boolean()) return tensorboard::DATA_TYPE_BOOL;
  return parameter.values.front().is_number() ? tensorboard::DATA_TYPE_FLOAT64
                                              : tensorboard::DATA_TYPE_STRING;
}

}  // namespace

void write_hparams_experiment(const std::filesystem::path& directory, const Space& space,
                              const std::vector<Objective>& objectives) {
  tensorboard::HParamsPluginData data;
  auto& experiment = *data.mutable_experiment();
  experiment.set_time_created_secs(wall_time());
  for (const Parameter& parameter : space.parameters()) {
    if (parameter.kind == Parameter::Kind::kFixed) continue;
    auto& info = *experiment.add_hparam_infos();
    info.set_name(parameter.name);
    info.set_type(type_of(parameter));
    if (parameter.is_number()) {
      info.mutable_domain_interval()->set_min_value(parameter.min);
      info.mutable_domain_interval()->set_max_value(parameter.max);
    } else {
      for (const Json& value : parameter.values) set(*info.mutable_domain_discrete()->add_values(), value);
    }
  }
  for (const Objective& objective : objectives) {
    auto& metric = *experiment.add_metric_infos();
    metric.mutable_name()->set_tag(objective.name);
    metric.set_display_name(objective.name);
  }
  EventFile file(directory);
  write_plugin_data(file, "experiment", data);
}

void write_hparams_trial(const std::filesystem::path& directory, const Trial& trial) {
  std::ostringstream folder;
  folder << "trial-" << std::setw(4) << std::setfill('0') << trial.number;
  // Whatever an earlier ending of this trial left would count beside it.
  std::filesystem::remove_all(directory / folder.str());
  EventFile file(directory / folder.str());
  tensorboard::HParamsPluginData start;
  auto& session = *start.mutable_session_start_info();
  for (const auto& [name, value] : trial.configuration.items())
    set((*session.mutable_hparams())[name], value);
  session.set_start_time_secs(wall_time() - trial.seconds);
  session.set_group_name(folder.str());
  write_plugin_data(file, "session_start_info", start);
  tensorboard::Event event;
  event.set_wall_time(wall_time());
  for (const auto& [name, value] : trial.figures) {
    if (!std::isfinite(value)) continue;
    auto& entry = *event.mutable_summary()->add_value();
    entry.set_tag(name);
    entry.set_simple_value(static_cast<float>(value));
  }
  if (event.has_summary()) file.write(event);
  tensorboard::HParamsPluginData end;
  const bool well = trial.state == TrialState::kDone || trial.state == TrialState::kPruned;
  end.mutable_session_end_info()->set_status(well ? tensorboard::STATUS_SUCCESS
                                                  : tensorboard::STATUS_FAILURE);
  end.mutable_session_end_info()->set_end_time_secs(wall_time());
  write_plugin_data(file, "session_end_info", end);
}

}  // namespace xray
