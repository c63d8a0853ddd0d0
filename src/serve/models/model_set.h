#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "diagnose/diagnoser.h"

namespace xray {

/// One version of a model as it is served. Immutable.
struct ServedModel {
  std::string name;                            ///< of the card: "pediatric"
  std::string version;                         ///< of the card: "2.1.0"
  std::shared_ptr<const Diagnoser> diagnoser;  ///< not null
  nlohmann::ordered_json card;  ///< to_json(ModelCard), to_json(SeverityModel) under "severity"
};

/// Whoever holds one keeps the model alive, even while a newer version takes its place.
using ModelHandle = std::shared_ptr<const ServedModel>;

/// `diagnoser` (not null) with the name and the card that it goes by.
ModelHandle served(std::shared_ptr<const Diagnoser> diagnoser);

/// Told of every finding, whichever door the picture came in by. Called on the thread that made it;
/// must be thread-safe and quick, and not throw.
class FindingObserver {
 public:
  virtual ~FindingObserver() = default;
  /// `picture`: the bytes as they came; empty where pixels came instead.
  virtual void on_finding(const ServedModel& model, std::span<const std::byte> picture,
                          const Result<Finding>& finding) = 0;
};

/// The models being served. Thread-safe.
class ModelSet {
 public:
  /// The name under which clients that know no other reach the primary model.
  static constexpr std::string_view kPrimary = "xray";

  /// `primary` is not null.
  explicit ModelSet(ModelHandle primary);

  /// The one that the page and the API's findings use.
  ModelHandle primary() const;
  /// All of them, the primary first.
  std::vector<ModelHandle> list() const;
  /// By name (kPrimary too) and version, the newest where it is empty. kNotFound.
  Result<ModelHandle> find(std::string_view name, std::string_view version = {}) const;

  /// To be called before findings are made; `observer` outlives them.
  void add_observer(FindingObserver& observer);

  /// Diagnoser::diagnose, told to the observers.
  Result<Finding> diagnose(const ServedModel& model, std::span<const std::byte> picture) const;
  Result<Finding> diagnose(const ServedModel& model, const Image& picture) const;

 private:
  mutable std::mutex mutex_;
  std::vector<ModelHandle> models_;
  std::vector<FindingObserver*> observers_;
};

}  // namespace xray
