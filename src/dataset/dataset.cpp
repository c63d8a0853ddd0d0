#include "dataset/dataset.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numeric>
#include <optional>
#include <regex>
#include <set>
#include <span>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "common/random.h"
#include "common/text.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

constexpr std::array kSplits{Split::kTrain, Split::kValidation, Split::kTest};

std::optional<Label> label_of_folder(const std::string& lower_name) {
  if (lower_name == "normal") return Label::kNormal;
  if (lower_name == "pneumonia") return Label::kPneumonia;
  return std::nullopt;
}

std::optional<Split> split_of_folder(const std::string& lower_name) {
  if (lower_name == "train") return Split::kTrain;
  if (lower_name == "val" || lower_name == "validation") return Split::kValidation;
  if (lower_name == "test") return Split::kTest;
  return std::nullopt;
}

bool is_picture_name(const fs::path& path) {
  const std::string extension = lowered(path.extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" || extension == ".dcm";
}

bool is_left_out(const std::string& file_name) {
  static const std::set<std::string> folders{"masks", "lung_masks", "__macosx"};
  return file_name.starts_with('.') || folders.contains(lowered(file_name));
}

/// What the folders above a file say of it.
struct Place {
  std::optional<Label> label;
  std::optional<Split> split;

  Place below(const fs::path& folder) const {
    const std::string folder_name = lowered(folder.filename().string());
    const std::optional<Label> own_label = label_of_folder(folder_name);
    const std::optional<Split> own_split = split_of_folder(folder_name);
    return {own_label ? own_label : label, own_split ? own_split : split};
  }
};

/// What a file's name says of it; the ID empty where it is of no known family.
struct NameParts {
  std::string family;
  std::string id;
  Subtype subtype = Subtype::kUnknown;
};

NameParts parse_name(const std::string& stem) {
  static const std::regex person("person([0-9]+)_(bacteria|virus)(_.*)?", std::regex::icase);
  static const std::regex indiana("(NORMAL2-)?IM-([0-9]+)(-.*)?", std::regex::icase);
  static const std::regex mendeley("(NORMAL|BACTERIA|VIRUS)-([0-9]+)(-.*)?", std::regex::icase);
  const auto subtype_of = [](const std::string& word) {
    const std::string cause = lowered(word);
    if (cause == "bacteria") return Subtype::kBacterial;
    if (cause == "virus") return Subtype::kViral;
    return Subtype::kUnknown;
  };
  std::smatch match;
  if (std::regex_match(stem, match, person)) return {"person", match[1], subtype_of(match[2])};
  if (std::regex_match(stem, match, indiana))
    return {match[1].matched ? "NORMAL2-IM" : "IM", match[2], Subtype::kUnknown};
  if (std::regex_match(stem, match, mendeley)) return {"Mendeley", match[2], subtype_of(match[1])};
  return {};
}

Sample make_sample(const fs::path& path, Label label) {
  const std::string stem = path.stem().string();
  const NameParts parts = parse_name(stem);
  Sample sample;
  sample.path = path;
  sample.label = label;
  sample.subtype = label == Label::kPneumonia ? parts.subtype : Subtype::kNone;
  if (parts.id.empty()) {
    sample.group = label == Label::kNormal ? "NORMAL" : "PNEUMONIA";
    sample.patient = sample.group + ":" + stem;
  } else {
    sample.group = parts.family;
    sample.patient = sample.group + ":" + parts.id;
  }
  return sample;
}

/// Walks a tree of folders into a Dataset.
class Scanner {
 public:
  explicit Scanner(Dataset& dataset) : dataset_(dataset) {}

  void scan(const fs::path& folder, Place place) {
    struct stat info{};
    if (::stat(folder.c_str(), &info) != 0 || !visited_.emplace(info.st_dev, info.st_ino).second) return;

    std::error_code error;
    std::vector<fs::path> entries;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error))
      if (!is_left_out(entry->path().filename().string())) entries.push_back(entry->path());
    if (error) dataset_.warnings.push_back(folder.string() + " cannot be read: " + error.message());

    // Of two links to one folder, the same one must win every time.
    std::sort(entries.begin(), entries.end());
    for (const fs::path& entry : entries) {
      std::error_code ignored;
      if (fs::is_directory(entry, ignored)) {
        scan(entry, place.below(entry));
      } else if (place.label && is_picture_name(entry) && fs::is_regular_file(entry, ignored)) {
        dataset_.samples.push_back(make_sample(entry, *place.label));
        if (place.split) dataset_.given_split.emplace(entry.generic_string(), *place.split);
      }
    }
  }

 private:
  Dataset& dataset_;
  std::set<std::pair<dev_t, ino_t>> visited_;
};

void warn_about_leaks(Dataset& dataset) {
  std::map<std::string, std::set<Split>> sides;
  for (const Sample& sample : dataset.samples)
    if (const auto side = given_side(dataset, sample)) sides[sample.patient].insert(*side);
  std::vector<std::string> leaked;
  for (const auto& [patient, splits] : sides)
    if (splits.size() > 1) leaked.push_back(patient);
  if (leaked.empty()) return;
  dataset.warnings.push_back("patients on more than one side of the folders' own split (by file name): " +
                             std::to_string(leaked.size()) + ", such as " + leaked.front());
}

/// Gives every sample a side 0..shares.size()-1, a patient's samples the same one.
///
/// Patients come in a random order; each goes where it lowers most the sum, over
/// strata and sides, of the squared distance from the wanted number of samples.
/// In whole numbers throughout, so that no machine rounds a tie another way.
std::vector<std::size_t> assign_patients(std::span<const Sample> samples,
                                         const std::vector<std::int64_t>& shares, std::uint64_t seed) {
  const std::int64_t whole = std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
  struct Stratum {
    std::int64_t total = 0;
    std::vector<std::int64_t> taken;
  };
  using Key = std::tuple<Label, Subtype, std::string>;
  std::map<Key, Stratum> strata;
  std::map<std::string, std::vector<std::size_t>> patients;
  std::vector<Stratum*> stratum_of(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    Stratum& stratum = strata[{sample.label, sample.subtype, sample.group}];
    stratum.taken.resize(shares.size());
    ++stratum.total;
    stratum_of[i] = &stratum;
    patients[sample.patient].push_back(i);
  }

  std::vector<const std::vector<std::size_t>*> order;
  order.reserve(patients.size());
  for (const auto& [patient, members] : patients) order.push_back(&members);
  Random(seed).shuffle(std::span(order));

  std::vector<std::size_t> sides(samples.size());
  for (const std::vector<std::size_t>* members : order) {
    std::vector<std::int64_t> missing(shares.size());
    for (const std::size_t i : *members)
      for (std::size_t side = 0; side < shares.size(); ++side)
        missing[side] += shares[side] * stratum_of[i]->total - whole * stratum_of[i]->taken[side];
    const auto side = static_cast<std::size_t>(
        std::distance(missing.begin(), std::max_element(missing.begin(), missing.end())));
    for (const std::size_t i : *members) {
      sides[i] = side;
      ++stratum_of[i]->taken[side];
    }
  }
  return sides;
}

std::int64_t parts_per_million(double ratio) {
  if (!(ratio >= 0) || ratio > 1e6) throw std::invalid_argument("a split's ratio must not be negative");
  return std::llround(ratio * 1e6);
}

}  // namespace

const char* name(Label label) {
  switch (label) {
    case Label::kNormal:
      return "normal";
    case Label::kPneumonia:
      return "pneumonia";
  }
  return "";
}

const char* name(Subtype subtype) {
  switch (subtype) {
    case Subtype::kNone:
      return "none";
    case Subtype::kBacterial:
      return "bacterial";
    case Subtype::kViral:
      return "viral";
    case Subtype::kUnknown:
      return "unknown";
  }
  return "";
}

const char* name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "";
}

std::string relative_name(const Dataset& dataset, const Sample& sample) {
  return sample.path.lexically_relative(dataset.root).generic_string();
}

std::string patient_of(const fs::path& path) {
  const std::string stem = path.stem().string();
  const NameParts parts = parse_name(stem);
  if (!parts.id.empty()) return parts.family + ":" + parts.id;
  static const std::regex panel("(.+)-[a-z]");
  std::smatch match;
  return std::regex_match(stem, match, panel) ? match[1].str() : stem;
}

std::optional<Split> given_side(const Dataset& dataset, const Sample& sample) {
  const auto given = dataset.given_split.find(sample.path.generic_string());
  return given == dataset.given_split.end() ? std::nullopt : std::optional(given->second);
}

Result<Dataset> scan_dataset(const fs::path& root) {
  std::error_code error;
  if (!fs::is_directory(root, error)) return Error{ErrorCode::kNotFound, "no such folder"};
  Dataset dataset;
  dataset.root = root;
  // "." and "data/" have no name of their own; the folder they mean has.
  const fs::path full = fs::weakly_canonical(root, error);
  Scanner(dataset).scan(root, Place{}.below(error ? root : full));
  if (dataset.samples.empty())
    return Error{ErrorCode::kInvalidArgument, "no pictures in folders named NORMAL or PNEUMONIA"};
  std::sort(dataset.samples.begin(), dataset.samples.end(),
            [](const Sample& a, const Sample& b) { return a.path.native() < b.path.native(); });
  warn_about_leaks(dataset);
  return dataset;
}

std::vector<Split> split_by_patient(const std::vector<Sample>& samples, SplitRatios ratios,
                                    std::uint64_t seed) {
  const std::vector<std::int64_t> shares{
      parts_per_million(ratios.train), parts_per_million(ratios.validation), parts_per_million(ratios.test)};
  if (shares == std::vector<std::int64_t>(3)) throw std::invalid_argument("a split needs a side above zero");
  std::vector<Split> result;
  result.reserve(samples.size());
  for (const std::size_t side : assign_patients(samples, shares, seed)) result.push_back(kSplits.at(side));
  return result;
}

std::vector<Split> choose_split(const Dataset& dataset, SplitRatios ratios, std::uint64_t seed) {
  std::vector<Split> result;
  result.reserve(dataset.samples.size());
  std::vector<Sample> training;
  for (const Sample& sample : dataset.samples) {
    result.push_back(given_side(dataset, sample).value_or(Split::kTrain));
    if (result.back() == Split::kTrain) training.push_back(sample);
  }
  if (training.empty()) return split_by_patient(dataset.samples, ratios, seed);

  // What the folders give already, training need not give again.
  const auto move_to_training = [&](Split split, double& ratio) {
    if (std::find(result.begin(), result.end(), split) != result.end())
      ratios.train += std::exchange(ratio, 0.0);
  };
  move_to_training(Split::kValidation, ratios.validation);
  move_to_training(Split::kTest, ratios.test);
  const std::vector<Split> drawn = split_by_patient(training, ratios, seed);
  auto next = drawn.begin();
  for (Split& split : result)
    if (split == Split::kTrain) split = *next++;
  return result;
}

std::vector<int> folds_by_patient(const std::vector<Sample>& samples, int folds, std::uint64_t seed) {
  if (folds < 1) throw std::invalid_argument("at least one fold");
  const std::vector<std::int64_t> shares(static_cast<std::size_t>(folds), 1);
  std::vector<int> result;
  result.reserve(samples.size());
  for (const std::size_t side : assign_patients(samples, shares, seed))
    result.push_back(static_cast<int>(side));
  return result;
}

std::vector<int> folds_by_group(const std::vector<Sample>& samples, std::uint64_t seed) {
  std::map<Label, std::set<std::string>> groups;
  for (const Sample& sample : samples) groups[sample.label].insert(sample.group);
  std::size_t folds = 1;
  for (const auto& [label, names] : groups) folds = std::max(folds, names.size());
  const std::vector<int> by_patient = folds_by_patient(samples, static_cast<int>(folds), seed);
  std::vector<int> result;
  result.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::set<std::string>& names = groups[samples[i].label];
    result.push_back(names.size() < 2
                         ? by_patient[i]
                         : static_cast<int>(std::distance(names.begin(), names.find(samples[i].group))));
  }
  return result;
}

}  // namespace xray
