#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "common/result.h"
#include "diagnose/finding.h"
#include "image/decode.h"
#include "infer/backend.h"
#include "infer/lung_finder.h"
#include "infer/opacity_finder.h"
#include "model/card.h"
#include "preprocess/preprocess.h"

namespace xray {

/// What tells severity; a model may lack it.
struct SeverityPart {
  SeverityModel model;
  std::unique_ptr<OpacityFinder> finder;  ///< not null
};

/// The package that a diagnoser was made from, and which of its networks it asks.
struct ModelOrigin {
  std::filesystem::path package;
  PackageFile network;  ///< the classifier's
  Precision precision = Precision::kFp32;
};

/// Bytes -> Finding: the one way, for the command line, HTTP and DICOM alike.
/// Immutable after construction; diagnose() may be called from many threads.
class Diagnoser {
 public:
  /// `lungs` is there where the card's input is framed by lungs, `severity` only with it;
  /// std::invalid_argument else.
  Diagnoser(ModelCard card, std::unique_ptr<Backend> backend, DecodeLimits limits = {},
            std::unique_ptr<LungFinder> lungs = nullptr, std::optional<SeverityPart> severity = {},
            std::optional<ModelOrigin> origin = {});

  const ModelCard& card() const { return card_; }
  /// Null where severity is not told.
  const SeverityModel* severity_model() const { return severity_ ? &severity_->model : nullptr; }
  const DecodeLimits& limits() const { return limits_; }
  /// Null where it was not made by make_diagnoser().
  const ModelOrigin* origin() const { return origin_ ? &*origin_ : nullptr; }

  /// decode() and diagnose(Image).
  Result<Finding> diagnose(std::span<const std::byte> bytes) const { return diagnose(bytes, limits_); }
  /// Within other limits than its own.
  Result<Finding> diagnose(std::span<const std::byte> bytes, const DecodeLimits& limits) const;

  /// The picture as the network needs it, within limits(), at a reduced size where that
  /// loses nothing. Failures are those of decode_image.
  Result<Image> decode(std::span<const std::byte> bytes) const { return decode(bytes, limits_); }

  /// The lungs on a standard_film(). kUnsupported where the model looks for none; kInternal.
  Result<LungField> find_lungs(const Image& film) const;

  /// What cannot be judged is a finding too: rejected, with its reasons. Failures are
  /// those of LungFinder and Backend.
  Result<Finding> diagnose(const Image& image) const;

  /// Where the evidence lies, of a model that has no class maps and looks for no lungs: the picture is read
  /// again 49 times, each time with another part covered in its mean gray; a part is as hot as the log-odds
  /// of pneumonia fall. kUnsupported for other models; kUnusable; those of Backend.
  Result<HeatMap> explain(const Image& image) const;
  /// Of a file; failures of decode(), too.
  Result<HeatMap> explain(std::span<const std::byte> bytes) const;
  /// The heat of a finding about this file: the finding's own, else explain()'s. Empty where it was rejected.
  Result<HeatMap> heat_for(const Finding& finding, std::span<const std::byte> bytes) const;

  /// Lets every network compute a drawn chest, whatever the gate thinks of it. kBadModel where an
  /// answer is not finite; else the failures of diagnose().
  Result<Done> self_check() const;

 private:
  Result<Image> decode(std::span<const std::byte> bytes, const DecodeLimits& limits) const;
  struct Prepared;
  struct OtherWay;
  Result<Prepared> prepare(const Image& image, Timing& timing) const;
  Result<OtherWay> other_way(const Image& film, const LungGate& gate) const;
  /// What speaks against any verdict on the film.
  static std::vector<Reason> doubts(const Prepared& prepared);
  static Result<Done> tell_severity(const SeverityPart& part, const Prepared& prepared, Finding& finding);

  ModelCard card_;
  Preprocessor preprocessor_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<LungFinder> lungs_;
  std::optional<SeverityPart> severity_;
  DecodeLimits limits_;
  std::optional<ModelOrigin> origin_;
};

/// Calibrated log-odds of pneumonia from logits, one per class of the card.
double pneumonia_log_odds(const ModelCard& card, std::span<const float> logits);

/// Calibrated probability of pneumonia (0..1) from logits, one per class of the card.
double pneumonia_probability(const ModelCard& card, std::span<const float> logits);

/// Loads a package, with the severity model in its folder kSeverityFolder where there is one, and
/// wires it to OpenVINO. kNotFound, kBadModel.
Result<std::unique_ptr<Diagnoser>> make_diagnoser(const std::filesystem::path& package,
                                                  const DecodeLimits& limits = {},
                                                  const BackendOptions& options = {});

/// The one package that ships with the program `executable`: in the build tree
/// ../../models/..., after installation ../share/xray/models/... from its folder.
/// kNotFound tells where it looked, or that there are several.
Result<std::filesystem::path> shipped_package(const std::filesystem::path& executable);

/// The package to use when none was named: $XRAY_MODEL, else the one shipped with
/// the running program.
Result<std::filesystem::path> default_package();

}  // namespace xray
