#pragma once

#include <atomic>
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
#include "serve/models/labels.h"

namespace xray {

/// One version of a model as it is served. Immutable.
struct ServedModel {
  std::string name;                            ///< of the card: "pediatric"
  std::string version;                         ///< of the card: "2.1.0"
  std::shared_ptr<const Diagnoser> diagnoser;  ///< not null
  nlohmann::ordered_json card;  ///< to_json(ModelCard), to_json(SeverityModel) under "severity"

  /// As findings name it: "pediatric 2.1.0".
  std::string id() const { return name + " " + version; }
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

enum class ModelState {
  kLoading,
  kServing,
  kRefused,  ///< found unfit; looked at again once it changes
};
/// "loading", "serving", "refused".
const char* name(ModelState state);

/// What became of a package.
struct ModelStatus {
  std::string name;     ///< of the card; empty where it cannot be read
  std::string version;  ///< likewise
  std::string package;  ///< its folder below that of all models; empty where there is none
  ModelState state = ModelState::kServing;
  std::string reason;  ///< why it, or a change of it, was refused; empty otherwise
};

/// Everything that is served at one moment.
struct Catalogue {
  /// Never empty. The primary first, then by name; of each name first the version that answers where
  /// none was asked for, then from the newest down.
  std::vector<ModelHandle> models;
  Labels labels;
  std::vector<ModelStatus> statuses;
};

/// The one model that was named on the command line. `model` is not null.
Catalogue catalogue_of(ModelHandle model);

/// The models being served. Thread-safe.
class ModelSet {
 public:
  /// The name under which clients that know no other reach the primary model.
  static constexpr std::string_view kPrimary = "xray";

  /// `primary` is not null.
  explicit ModelSet(ModelHandle primary);
  explicit ModelSet(Catalogue catalogue);

  /// Puts another catalogue in place, at once for every caller to come; whoever holds a handle keeps it.
  void replace(Catalogue catalogue);

  /// The one that the page and the API's findings use.
  ModelHandle primary() const;
  /// The one that is to answer this picture: the primary, or, for its share of all pictures, the
  /// version of it that is labelled canary. The same picture gets the same one.
  ModelHandle choose(std::span<const std::byte> picture) const;
  /// All of them, the primary first.
  std::vector<ModelHandle> list() const;
  /// All of them with their labels and states.
  std::shared_ptr<const Catalogue> catalogue() const;
  /// By name (kPrimary too) and version; where it is empty the one that the label stable names, else
  /// the newest. kNotFound.
  Result<ModelHandle> find(std::string_view name, std::string_view version = {}) const;
  /// By name (kPrimary too) and label. kNotFound.
  Result<ModelHandle> find_label(std::string_view name, std::string_view label) const;

  /// To be called before findings are made. Of the pictures, 0 to 100 per cent.
  void set_canary_share(double per_cent);
  double canary_share() const { return canary_share_; }

  /// To be called before findings are made; `observer` outlives them.
  void add_observer(FindingObserver& observer);

  /// From now on there are no findings, only `why`: the primary model is not what it was pinned as.
  void distrust(Error why);

  /// Diagnoser::diagnose, told to the observers; what distrust() was given.
  Result<Finding> diagnose(const ServedModel& model, std::span<const std::byte> picture) const;
  Result<Finding> diagnose(const ServedModel& model, const Image& picture) const;

  /// Pictures being diagnosed at this moment.
  int running() const { return running_; }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Catalogue> catalogue_;
  double canary_share_ = 0;
  mutable std::atomic<int> running_{0};
  std::atomic<std::shared_ptr<const Error>> distrusted_;
  std::vector<FindingObserver*> observers_;
};

/// Where in 0..100 a picture falls, evenly, by its SHA-256. `draw` (0..3) tells draws that are
/// independent of each other apart.
double share_of(std::span<const std::byte> picture, int draw);

}  // namespace xray
