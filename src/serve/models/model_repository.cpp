#include "serve/models/model_repository.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "common/file.h"
#include "common/text.h"
#include "diagnose/selftest.h"
#include "serve/models/package_scan.h"
#include "serve/models/version_order.h"

namespace xray {
namespace {

/// Of a reason, for logs and answers: inference libraries tell whole stories.
constexpr std::size_t kMaxReason = 300;

std::string shortened(const std::string& message) {
  std::string text = printable(message);
  if (text.size() <= kMaxReason) return text;
  text.resize(kMaxReason);
  return text + " ...";
}

bool lies_in(const std::string& package, const std::string& folder) {
  return package == folder || package.starts_with(folder + "/");
}

/// Logs `problem` unless it was the last one; an empty one is none.
void warn_once(std::string& last, const std::string& problem) {
  if (problem != last && !problem.empty()) spdlog::warn("{}", printable(problem));
  last = problem;
}

}  // namespace

Result<std::shared_ptr<const Diagnoser>> load_and_try(const std::filesystem::path& package,
                                                      const DecodeLimits& limits,
                                                      const BackendOptions& options) {
  auto made = make_diagnoser(package, limits, options);
  if (!made) return made.error();
  if (const auto tested = (*made)->self_check(); !tested)
    return Error{ErrorCode::kBadModel, tested.error().message};
  const auto pinned = find_selftest(package);
  if (!pinned) return pinned.error();
  if (*pinned) {
    const auto examine = [&made](std::span<const std::byte> file) {
      return (*made)->diagnose(file, DecodeLimits{});
    };
    if (const auto tested = run_selftest(**made, examine); !tested) return tested.error();
  }
  return std::shared_ptr<const Diagnoser>(std::move(*made));
}

ModelRepository::ModelRepository(std::filesystem::path folder, std::string primary, LoadModel load)
    : folder_(std::move(folder)), primary_(std::move(primary)), load_(std::move(load)) {}

Result<Catalogue> ModelRepository::open() {
  const auto scan = scan_packages(folder_);
  if (!scan) return scan.error();
  if (scan->packages.empty())
    return Error{ErrorCode::kNotFound,
                 "no model package lies there (a folder with a card.json, one or two folders deep)"};
  if (const auto read = read_labels(); !read) return read.error();
  note(*scan);
  for (auto& [folder, package] : packages_) {
    package.settled = true;
    load(folder);
  }
  if (std::ranges::none_of(packages_, [](const auto& entry) { return entry.second.model != nullptr; })) {
    const auto& [folder, package] = *packages_.begin();
    return Error{ErrorCode::kBadModel, "no package can be served; " + folder + ": " + package.reason};
  }
  if (const auto chosen = choose_primary(); !chosen) return chosen.error();
  warn_of_labels();
  return catalogue();
}

Result<Done> ModelRepository::choose_primary() {
  std::set<std::string> names;
  for (const auto& [folder, package] : packages_)
    if (package.model) names.insert(package.model->name);
  if (primary_.empty() && names.size() == 1) primary_ = *names.begin();
  if (names.contains(primary_)) return Done{};
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  if (primary_.empty())
    return Error{ErrorCode::kInvalidArgument,
                 "models of several names lie there (" + list + "): --primary says which one answers"};
  return Error{ErrorCode::kInvalidArgument, "no model named '" + primary_ + "' is served, only " + list};
}

void ModelRepository::look(const Publish& publish) {
  const auto scan = scan_packages(folder_);
  const std::string problem = !scan                    ? scan.error().message
                              : scan->packages.empty() ? "there is nothing left in it"
                                                       : "";
  warn_once(folder_problem_,
            problem.empty() ? "" : folder_.string() + ": " + problem + "; the models stay as they are");
  if (!problem.empty()) return;

  bool changed = note_missing(*scan);
  changed = note(*scan) || changed;
  changed = drop_gone() || changed;
  const auto labels = read_labels();
  warn_once(labels_problem_, labels ? "" : labels.error().message + "; the labels stay as they were");
  changed = (labels && *labels) || changed;

  const std::vector<std::string> folders = due();
  for (const std::string& folder : folders) packages_.at(folder).loading = true;
  if (changed || !folders.empty()) publish(catalogue());
  for (const std::string& folder : folders) {
    load(folder);
    drop_gone();
    publish(catalogue());
  }
  warn_of_labels();
}

bool ModelRepository::note(const PackageScan& scan) {
  bool changed = false;
  std::string surplus;
  for (const auto& [folder, look] : scan.packages) {
    if (packages_.size() == kMaxPackages && !packages_.contains(folder)) {
      surplus = "more than " + std::to_string(kMaxPackages) + " packages: " + folder + " is passed over";
      continue;
    }
    const auto [found, is_new] = packages_.try_emplace(folder);
    Package& package = found->second;
    changed = changed || is_new;
    package.settled = package.seen == look;
    package.seen = look;
    package.missing = false;
    package.gone = false;
  }
  warn_once(surplus_, surplus);
  return changed;
}

bool ModelRepository::note_missing(const PackageScan& scan) {
  bool changed = false;
  for (auto& [folder, package] : packages_) {
    const bool untold = std::ranges::any_of(
        scan.unreadable, [&](const std::string& unreadable) { return lies_in(folder, unreadable); });
    if (untold || scan.packages.contains(folder)) continue;
    const bool gone_now = package.missing && !package.gone;
    if (gone_now && package.model)
      spdlog::info("{} ({}) is no longer there", printable(package.model->id()), printable(folder));
    changed = changed || gone_now;
    package.gone = package.missing;
    package.missing = true;
  }
  return changed;
}

bool ModelRepository::drop_gone() {
  const auto has_left = [this](const auto& entry) {
    const Package& package = entry.second;
    return package.gone &&
           (!package.model || package.model->name != primary_ || has_another(package, primary_));
  };
  return std::erase_if(packages_, has_left) > 0;
}

bool ModelRepository::has_another(const Package& package, const std::string& name) const {
  return std::ranges::any_of(packages_, [&](const auto& entry) {
    const Package& other = entry.second;
    return &other != &package && other.model && !other.gone && other.model->name == name;
  });
}

Result<bool> ModelRepository::read_labels() {
  auto text = read_text(folder_ / kLabelsFile, kMaxLabelBytes);
  if (!text && text.error().code != ErrorCode::kNotFound) return with_context(text.error(), kLabelsFile);
  if (text && *text == labels_text_ && !text->empty()) return false;
  Labels labels;
  if (text) {
    auto parsed = parse_labels(*text);
    if (!parsed) return with_context(parsed.error(), kLabelsFile);
    labels = std::move(*parsed);
  }
  labels_text_ = text ? std::move(*text) : "";
  const bool changed = labels != labels_;
  labels_ = std::move(labels);
  if (changed) spdlog::info("{} was read", kLabelsFile);
  return changed;
}

std::vector<std::string> ModelRepository::due() const {
  std::vector<std::string> folders;
  for (const auto& [folder, package] : packages_) {
    const auto blocker = packages_.find(package.blocked_by);
    const bool is_free = !package.blocked_by.empty() &&
                         (blocker == packages_.end() || blocker->second.gone || !blocker->second.model ||
                          blocker->second.model->id() != package.name + " " + package.version);
    if (!package.missing && package.settled && (package.tried != package.seen || is_free))
      folders.push_back(folder);
  }
  return folders;
}

void ModelRepository::load(const std::string& folder) {
  Package& package = packages_.at(folder);
  package.loading = false;
  package.tried = package.seen;
  package.blocked_by.clear();
  auto made = make(folder, package);
  if (!made) {
    std::string reason = shortened(made.error().message);
    if (reason != package.reason)
      spdlog::warn("{} is refused until it changes: {}{}", printable(folder), reason,
                   package.model ? "; " + printable(package.model->id()) + " stays" : "");
    package.reason = std::move(reason);
    return;
  }
  package.model = std::move(*made);
  package.reason.clear();
  spdlog::info("{} ({}) is served", printable(package.model->id()), printable(folder));
}

Result<ModelHandle> ModelRepository::make(const std::string& folder, Package& package) const {
  const std::filesystem::path path = folder_ / folder;
  const auto card = load_card(path);
  if (!card) return card.error();
  package.name = card->name;
  package.version = card->version;
  for (const auto& [other_folder, other] : packages_) {
    if (&other == &package || !other.model || other.gone || other.model->id() != card->id()) continue;
    package.blocked_by = other_folder;
    return Error{ErrorCode::kBadModel, card->id() + " is served from " + other_folder + " already"};
  }
  const bool is_last = package.model && package.model->name == primary_ && !has_another(package, primary_);
  if (is_last && card->name != primary_)
    return Error{ErrorCode::kBadModel, "is a model named " + card->name + " now, in the place of the last " +
                                           primary_ + ", which has to answer"};
  try {
    auto diagnoser = load_(path);
    if (!diagnoser) return diagnoser.error();
    if (look_of(path) != package.seen)
      return Error{ErrorCode::kBadModel, "was written to while it was being loaded"};
    return served(std::move(*diagnoser));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kInternal, failure.what()};
  }
}

Catalogue ModelRepository::catalogue() {
  Catalogue catalogue{.models = {}, .labels = labels_, .statuses = {}};
  std::map<std::string, std::vector<ModelHandle>> by_name;
  for (const auto& [folder, package] : packages_) {
    if (package.model) by_name[package.model->name].push_back(package.model);
    catalogue.statuses.push_back(status_of(folder, package));
  }
  std::map<std::string, std::string> defaults;
  for (auto& [name, models] : by_name) {
    std::ranges::sort(models, [](const auto& a, const auto& b) { return is_older(b->version, a->version); });
    const auto chosen = models.begin() + static_cast<std::ptrdiff_t>(default_of(models));
    std::rotate(models.begin(), chosen, chosen + 1);
    defaults[name] = models.front()->version;
    const auto place = name == primary_ ? catalogue.models.begin() : catalogue.models.end();
    catalogue.models.insert(place, models.begin(), models.end());
  }
  defaults_ = std::move(defaults);
  const std::string answering = catalogue.models.front()->id();
  if (answering != answering_) spdlog::info("{} answers", printable(answering));
  answering_ = answering;
  return catalogue;
}

ModelStatus ModelRepository::status_of(const std::string& folder, const Package& package) const {
  ModelStatus status{package.name, package.version, folder, ModelState::kRefused, package.reason};
  if (package.model) {
    status.name = package.model->name;
    status.version = package.model->version;
    status.state = ModelState::kServing;
  } else if (package.loading || package.tried.empty()) {
    status.state = ModelState::kLoading;
  }
  return status;
}

std::size_t ModelRepository::default_of(const std::vector<ModelHandle>& newest_first) const {
  const auto index_of = [&](const std::string& version) {
    const auto found = std::ranges::find(newest_first, version, &ServedModel::version);
    return static_cast<std::size_t>(found - newest_first.begin());
  };
  const std::size_t none = newest_first.size();
  const std::string& name = newest_first.front()->name;
  const auto labels = labels_.find(name);
  if (labels == labels_.end()) return 0;
  const auto version_of = [&](std::string_view label) {
    const auto found = labels->second.find(label);
    return found == labels->second.end() ? std::string() : found->second;
  };
  if (const std::string stable = version_of(kStableLabel); !stable.empty()) {
    if (const std::size_t at = index_of(stable); at != none) return at;
    // Not there (yet): nobody asked for another change.
    const auto before = defaults_.find(name);
    if (before != defaults_.end() && index_of(before->second) != none) return index_of(before->second);
  }
  // What is on trial does not answer everybody, unless there is nothing else.
  return newest_first.size() > 1 && newest_first.front()->version == version_of(kCanaryLabel) ? 1 : 0;
}

void ModelRepository::warn_of_labels() {
  std::string missing;
  for (const auto& [name, versions] : labels_)
    for (const auto& [label, version] : versions) {
      const bool is_there = std::ranges::any_of(packages_, [&](const auto& entry) {
        const ModelHandle& model = entry.second.model;
        return model && model->name == name && model->version == version;
      });
      if (!is_there)
        missing.append(missing.empty() ? " " : ", ")
            .append(name)
            .append(" ")
            .append(label)
            .append(" ")
            .append(version);
    }
  warn_once(labels_missing_, missing.empty() ? "" : "labels of versions that are not served:" + missing);
}

}  // namespace xray
