#include "serve/models/model_set.h"

#include <utility>

namespace xray {

ModelHandle served(std::shared_ptr<const Diagnoser> diagnoser) {
  const ModelCard& card = diagnoser->card();
  nlohmann::ordered_json told = to_json(card);
  if (const SeverityModel* severity = diagnoser->severity_model()) told["severity"] = to_json(*severity);
  return std::make_shared<const ServedModel>(
      ServedModel{card.name, card.version, std::move(diagnoser), std::move(told)});
}

ModelSet::ModelSet(ModelHandle primary) : models_{std::move(primary)} {}

ModelHandle ModelSet::primary() const {
  const std::scoped_lock lock(mutex_);
  return models_.front();
}

std::vector<ModelHandle> ModelSet::list() const {
  const std::scoped_lock lock(mutex_);
  return models_;
}

Result<ModelHandle> ModelSet::find(std::string_view name, std::string_view version) const {
  const std::scoped_lock lock(mutex_);
  for (const ModelHandle& model : models_) {
    const bool named = name == model->name || (name == kPrimary && model == models_.front());
    if (named && (version.empty() || version == model->version)) return model;
  }
  return Error{ErrorCode::kNotFound, "no model " + std::string(name) +
                                         (version.empty() ? "" : " in version " + std::string(version)) +
                                         " is served"};
}

void ModelSet::add_observer(FindingObserver& observer) {
  observers_.push_back(&observer);
}

Result<Finding> ModelSet::diagnose(const ServedModel& model, std::span<const std::byte> picture) const {
  Result<Finding> finding = model.diagnoser->diagnose(picture);
  for (FindingObserver* observer : observers_) observer->on_finding(model, picture, finding);
  return finding;
}

Result<Finding> ModelSet::diagnose(const ServedModel& model, const Image& picture) const {
  Result<Finding> finding = model.diagnoser->diagnose(picture);
  for (FindingObserver* observer : observers_) observer->on_finding(model, {}, finding);
  return finding;
}

}  // namespace xray
