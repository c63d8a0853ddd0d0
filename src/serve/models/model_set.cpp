#include "serve/models/model_set.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace xray {
namespace {

/// The first that is meant by `name`; nothing else is called kPrimary than the primary, unless a
/// model is.
const ModelHandle* first_named(const Catalogue& catalogue, std::string_view name) {
  const auto found = std::ranges::find_if(catalogue.models, [&](const auto& m) { return m->name == name; });
  if (found != catalogue.models.end()) return &*found;
  return name == ModelSet::kPrimary ? &catalogue.models.front() : nullptr;
}

const ModelHandle* versioned(const Catalogue& catalogue, std::string_view name, std::string_view version) {
  const auto found = std::ranges::find_if(
      catalogue.models, [&](const auto& m) { return m->name == name && m->version == version; });
  return found == catalogue.models.end() ? nullptr : &*found;
}

const ModelHandle* labelled(const Catalogue& catalogue, std::string_view name, std::string_view label) {
  const auto model = catalogue.labels.find(name);
  if (model == catalogue.labels.end()) return nullptr;
  const auto version = model->second.find(label);
  return version == model->second.end() ? nullptr : versioned(catalogue, name, version->second);
}

/// Counts one up while it lives.
class Running {
 public:
  explicit Running(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Running() { --count_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  std::atomic<int>& count_;
};

Error not_served(std::string_view name, std::string_view what, std::string_view which) {
  std::string message = "no model " + std::string(name);
  if (!which.empty()) message.append(" ").append(what).append(" ").append(which);
  return {ErrorCode::kNotFound, message + " is served"};
}

}  // namespace

ModelHandle served(std::shared_ptr<const Diagnoser> diagnoser) {
  const ModelCard& card = diagnoser->card();
  nlohmann::ordered_json told = to_json(card);
  if (const SeverityModel* severity = diagnoser->severity_model()) told["severity"] = to_json(*severity);
  return std::make_shared<const ServedModel>(
      ServedModel{card.name, card.version, std::move(diagnoser), std::move(told)});
}

const char* name(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "loading";
    case ModelState::kServing:
      return "serving";
    case ModelState::kRefused:
      return "refused";
  }
  throw std::logic_error("no such state of a model");
}

Catalogue catalogue_of(ModelHandle model) {
  Catalogue catalogue;
  catalogue.statuses.push_back({model->name, model->version, "", ModelState::kServing, ""});
  catalogue.models.push_back(std::move(model));
  return catalogue;
}

double share_of(std::span<const std::byte> picture, int draw) {
  const std::string digits = sha256_hex(picture).substr(static_cast<std::size_t>(draw) * 16, 13);
  // 52 bits: what a double holds without rounding.
  return static_cast<double>(std::stoull(digits, nullptr, 16)) * 0x1.0p-52 * 100;
}

ModelSet::ModelSet(ModelHandle primary) : ModelSet(catalogue_of(std::move(primary))) {}

ModelSet::ModelSet(Catalogue catalogue) {
  replace(std::move(catalogue));
}

void ModelSet::replace(Catalogue catalogue) {
  if (catalogue.models.empty()) throw std::invalid_argument("ModelSet: there is nothing to serve");
  auto next = std::make_shared<const Catalogue>(std::move(catalogue));
  {
    const std::scoped_lock lock(mutex_);
    catalogue_.swap(next);
  }
  // Models that only the old catalogue held are freed here, nobody waiting for it.
}

std::shared_ptr<const Catalogue> ModelSet::catalogue() const {
  const std::scoped_lock lock(mutex_);
  return catalogue_;
}

ModelHandle ModelSet::primary() const {
  return catalogue()->models.front();
}

ModelHandle ModelSet::choose(std::span<const std::byte> picture) const {
  const auto now = catalogue();
  const ModelHandle& primary = now->models.front();
  if (canary_share_ <= 0) return primary;
  const ModelHandle* const canary = labelled(*now, primary->name, kCanaryLabel);
  return canary != nullptr && share_of(picture, 0) < canary_share_ ? *canary : primary;
}

std::vector<ModelHandle> ModelSet::list() const {
  return catalogue()->models;
}

Result<ModelHandle> ModelSet::find(std::string_view name, std::string_view version) const {
  const auto now = catalogue();
  const ModelHandle* found = first_named(*now, name);
  if (found != nullptr && !version.empty()) found = versioned(*now, (*found)->name, version);
  if (found == nullptr) return not_served(name, "in version", version);
  return *found;
}

Result<ModelHandle> ModelSet::find_label(std::string_view name, std::string_view label) const {
  const auto now = catalogue();
  const ModelHandle* found = first_named(*now, name);
  if (found != nullptr) found = labelled(*now, (*found)->name, label);
  if (found == nullptr) return not_served(name, "labelled", label);
  return *found;
}

void ModelSet::set_canary_share(double per_cent) {
  canary_share_ = per_cent;
}

void ModelSet::add_observer(FindingObserver& observer) {
  observers_.push_back(&observer);
}

void ModelSet::distrust(Error why) {
  distrusted_ = std::make_shared<const Error>(std::move(why));
}

Result<Finding> ModelSet::diagnose(const ServedModel& model, std::span<const std::byte> picture) const {
  if (const auto why = distrusted_.load()) return *why;
  const Running counted(running_);
  Result<Finding> finding = model.diagnoser->diagnose(picture);
  for (FindingObserver* observer : observers_) observer->on_finding(model, picture, finding);
  return finding;
}

Result<Finding> ModelSet::diagnose(const ServedModel& model, const Image& picture) const {
  if (const auto why = distrusted_.load()) return *why;
  const Running counted(running_);
  Result<Finding> finding = model.diagnoser->diagnose(picture);
  for (FindingObserver* observer : observers_) observer->on_finding(model, {}, finding);
  return finding;
}

}  // namespace xray
