#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "serve/models/labels.h"
#include "serve/models/model_set.h"
#include "serve/models/package_scan.h"

namespace xray {

/// Makes a package ready to be served: reads, checks, compiles and tries it.
using LoadModel = std::function<Result<std::shared_ptr<const Diagnoser>>(const std::filesystem::path&)>;

/// make_diagnoser(), its self_check() and, where one is pinned, its self-test. kNotFound, kBadModel.
Result<std::shared_ptr<const Diagnoser>> load_and_try(const std::filesystem::path& package,
                                                      const DecodeLimits& limits,
                                                      const BackendOptions& options);

/// The folder of models and what of it is served. Each package that lies there (package_scan.h) is
/// loaded once its files have been the same in two looks, and again when they change; while a change
/// is not fit to be served, what was loaded before goes on. A package that was gone in two looks
/// leaves, but for the last one of the primary name. `labels.json` gives versions their labels; one that
/// cannot be read leaves the labels as they were. For one thread at a time.
class ModelRepository {
 public:
  static constexpr const char* kLabelsFile = "labels.json";
  static constexpr std::size_t kMaxPackages = 64;

  using Publish = std::function<void(Catalogue)>;

  /// `primary`: the name of the model that answers where nobody asked for one; may be empty where
  /// there is one name only.
  ModelRepository(std::filesystem::path folder, std::string primary, LoadModel load);

  /// The first look, which waits for no second: loads all that lies there. kNotFound where nothing
  /// does, kBadModel where none of it is fit, kInvalidArgument where the primary is not told or the
  /// labels make no sense, kIo.
  Result<Catalogue> open();

  /// Another look, after open(). Calls `publish` as soon as something has changed: labels and
  /// removals first, then after each package that was loaded or refused.
  void look(const Publish& publish);

 private:
  struct Package {
    std::string seen;        ///< what its files looked like in the last look
    std::string tried;       ///< and when it was last loaded or refused; empty: never
    bool settled = false;    ///< the same in two looks
    bool missing = false;    ///< in the last look
    bool gone = false;       ///< in two looks; still here because it has to answer
    bool loading = false;    ///< about to be loaded
    std::string name;        ///< of its card, as far as that was read
    std::string version;     ///< likewise
    std::string reason;      ///< why it was refused; empty otherwise
    std::string blocked_by;  ///< the folder that serves the same version; empty otherwise
    ModelHandle model;       ///< null while there is none to serve
  };

  // Each says whether anything has changed that is to be told.
  bool note(const PackageScan& scan);
  bool note_missing(const PackageScan& scan);
  bool drop_gone();
  Result<bool> read_labels();

  std::vector<std::string> due() const;
  void load(const std::string& folder);
  Result<ModelHandle> make(const std::string& folder, Package& package) const;
  /// Whether another package than `package` that is still there serves a model of this name.
  bool has_another(const Package& package, const std::string& name) const;
  Result<Done> choose_primary();

  Catalogue catalogue();
  ModelStatus status_of(const std::string& folder, const Package& package) const;
  /// The one of `newest_first` (all of one name) that answers where no version was asked for.
  std::size_t default_of(const std::vector<ModelHandle>& newest_first) const;
  void warn_of_labels();

  std::filesystem::path folder_;
  std::string primary_;
  LoadModel load_;
  std::map<std::string, Package> packages_;  ///< by folder
  std::string labels_text_;
  Labels labels_;
  std::map<std::string, std::string> defaults_;  ///< by name, the version that answered last
  // What was logged last, so that it is not said again every second.
  std::string folder_problem_;
  std::string surplus_;
  std::string labels_problem_;
  std::string labels_missing_;
  std::string answering_;
};

}  // namespace xray
