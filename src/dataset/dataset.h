#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace xray {

enum class Label { kNormal, kPneumonia };
/// What kind of pneumonia a file's name tells; kUnknown where it tells none.
enum class Subtype { kNone, kBacterial, kViral, kUnknown };
enum class Split { kTrain, kValidation, kTest };

/// "normal", "pneumonia"; "none", "bacterial", ...; "train", "validation", "test".
const char* name(Label label);
const char* name(Subtype subtype);
const char* name(Split split);

/// One labelled picture on the disk; its bytes are read elsewhere.
struct Sample {
  std::filesystem::path path;
  Label label = Label::kNormal;
  Subtype subtype = Subtype::kNone;
  std::string group;    ///< naming family: "IM", "NORMAL2-IM", "person", "Mendeley"; else the class's name
  std::string patient;  ///< unique over the data set: group + ":" + ID; without an ID, the file's own stem
};

/// A folder of pictures, with the split its own folders state, if any.
struct Dataset {
  std::filesystem::path root;
  std::vector<Sample> samples;  ///< sorted by path, so that every run sees one order
  /// By sample path (generic string); empty where the folders give none. It may
  /// name one side only, or some samples only: see choose_split().
  std::map<std::string, Split> given_split;
  std::vector<std::string> warnings;  ///< e.g. a patient on both sides of the folders' own split
};

/// The side that the folders give the sample, if any.
std::optional<Split> given_side(const Dataset& dataset, const Sample& sample);

/// Finds pictures (.jpg, .jpeg, .png, .dcm; any case) at any depth below `root`.
///
/// The class comes from the nearest folder named NORMAL or PNEUMONIA, the given
/// split from the nearest one named train, val/validation or test; both in any
/// case, and `root` itself counts. Patients and subtype come from file names:
/// `person<ID>_bacteria_<N>`, `person<ID>_virus_<N>`, `IM-<ID>-<N>`,
/// `NORMAL2-IM-<ID>-<N>`, and `BACTERIA-<ID>-<N>`, `VIRUS-<ID>-<N>`,
/// `NORMAL-<ID>-<N>`. The same ID within one family is taken for one patient,
/// bacterial or viral: better too few patients than one on two sides.
///
/// Left out: pictures under no class folder (so every other class, COVID say),
/// folders named masks, lung_masks or __MACOSX, and names that begin with a dot
/// (macOS's "._" files among them). Symbolic links are followed; a folder
/// reached twice is read once. Folders that cannot be read become warnings.
///
/// kNotFound: no such folder. kInvalidArgument: no picture of either class in it.
Result<Dataset> scan_dataset(const std::filesystem::path& root);

/// The path of a sample below the data set's folder, with "/".
std::string relative_name(const Dataset& dataset, const Sample& sample);

/// The patient a file's name tells, as Sample::patient has it: "family:ID" for the
/// families scan_dataset() knows, else the stem without a last "-a", "-b", ... (the
/// panels of one figure).
std::string patient_of(const std::filesystem::path& path);

struct SplitRatios {
  double train = 0.8;
  double validation = 0.1;
  double test = 0.1;
};

/// One Split per sample: all pictures of a patient on one side, ratios kept
/// within each (label, subtype, group) as closely as whole patients allow.
/// Depends on the samples and `seed` alone, not on the machine.
std::vector<Split> split_by_patient(const std::vector<Sample>& samples, SplitRatios ratios,
                                    std::uint64_t seed);

/// One Split per sample of the data set: the folders' own split; sides that they
/// do not give (no validation, no test) are taken out of their training side by
/// patient, each with its share of `ratios`. Samples in no split folder count as
/// training ones. Without a training side everything is split by patient.
std::vector<Split> choose_split(const Dataset& dataset, SplitRatios ratios, std::uint64_t seed);

/// One fold number 0..folds-1 per sample, balanced likewise. `folds` at least 1.
std::vector<int> folds_by_patient(const std::vector<Sample>& samples, int folds, std::uint64_t seed);

/// One fold number 0, 1, ... per sample for leaving groups out: a label with several
/// groups puts each into a fold of its own (in the order of their names), one with a
/// single group is spread over as many folds by patient. All 0 where no label has two.
std::vector<int> folds_by_group(const std::vector<Sample>& samples, std::uint64_t seed);

}  // namespace xray
