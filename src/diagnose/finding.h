#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/file.h"
#include "common/result.h"
#include "diagnose/severity.h"
#include "image/image.h"

namespace xray {

enum class Verdict {
  kNormal,
  kPneumonia,
  kUncertain,  ///< read, but too close to call; see the reasons
  kRejected,   ///< nothing that this program can judge; there are no percentages
};
/// "normal", "pneumonia", "uncertain", "rejected".
const char* name(Verdict verdict);
std::optional<Verdict> verdict_from(std::string_view name);

/// Why a verdict is uncertain or a picture rejected, or what was done to read it.
enum class Reason {
  kTooSmall,
  kFlat,
  kNoLungs,
  kNoFrontalFilm,
  kTurnedLeft,   ///< by a quarter, counter-clockwise
  kTurnedRight,  ///< by a quarter, clockwise
  kUpsideDown,
  kInverted,       ///< black was white; read the right way round
  kNearThreshold,  ///< within ModelCard::undecided
  kPoorExposure,   ///< the lungs are shown in too few gray levels
  kLungsCut,       ///< the film's rim cuts through the lungs
  kOpacity,        ///< looks normal to one network, opaque to the other: is_hardly_normal()
};
/// Of all reasons, in their order.
inline constexpr std::array kReasonNames = {"too_small",      "flat",          "no_lungs",    "not_frontal",
                                            "turned_left",    "turned_right",  "upside_down", "inverted",
                                            "near_threshold", "poor_exposure", "lungs_cut",   "opacity"};
/// For programs.
const char* name(Reason reason);
std::optional<Reason> reason_from(std::string_view name);
/// A sentence for people, without a full stop.
const char* describe(Reason reason);

/// Where on the picture the evidence for pneumonia lies: row-major grid over the picture, 0
/// where nothing speaks for it, towards 1 the more does. Where severity is told, that is
/// opacity in the lungs; else the classifier's maps, coarse as its last stage, from the
/// evidence of the picture as a whole upwards.
struct HeatMap {
  int width = 0;
  int height = 0;
  std::vector<float> values;
  bool empty() const { return values.empty(); }
};

/// Where the time of one diagnosis went, in milliseconds of wall time.
struct Timing {
  double decode = 0;
  double preprocess = 0;
  double infer = 0;
  double total = 0;
  // Of `infer`, for benchmarks; neither told nor kept.
  double lungs = 0;  ///< and whether they are those of a film
  double classify = 0;
  double severity = 0;  ///< with zones and heat map
};

/// What the program says of one picture.
struct Finding {
  Verdict verdict = Verdict::kNormal;
  std::vector<Reason> reasons;
  /// Calibrated per cent, 0..100; normal + pneumonia == 100. Both 0 where rejected.
  double normal = 0;
  double pneumonia = 0;
  /// Per cent of pneumonia that looks bacterial or viral (their sum is 100);
  /// both negative where the model does not tell them apart.
  double bacterial = -1;
  double viral = -1;
  std::optional<Severity> severity;  ///< nothing where rejected, or where the model does not tell
  HeatMap heat;
  std::string model;  ///< ModelCard::id()
  Timing timing;
  int width = 0;  ///< of the picture in the file
  int height = 0;
  bool has_subtype() const { return bacterial >= 0; }
  bool is_rejected() const { return verdict == Verdict::kRejected; }
};

/// The reasons as text, "; " between.
std::string describe_reasons(const Finding& finding);

/// Version of what to_json() writes; another number where a field changes its meaning.
inline constexpr int kFindingSchema = 2;

/// {"schema", "verdict", "percent": {"normal", "pneumonia"}, "confidence", "subtype":
/// {"bacterial", "viral"}, "severity": {"extent", "score", ...}, "zones": [...],
/// "reasons": [{"code", "text"}], "model", "milliseconds",
/// "timing": {...}, "picture": {"width", "height"}}; percentages rounded to 0.01.
/// "confidence": the larger percentage, how likely the likelier answer is right.
/// "subtype" is left out where unknown or not pneumonia; "percent" and "confidence"
/// too where rejected.
nlohmann::ordered_json to_json(const Finding& finding);

/// The heat map as an RGBA PNG of width x height, transparent where there is no
/// evidence, to lay over the picture. Smoothly interpolated. kUnusable if empty.
Result<Bytes> render_heatmap(const HeatMap& heat, int width, int height);

/// The outlines of where the heat is above kOutlined, likewise. kUnusable if empty.
inline constexpr double kOutlined = 0.4;
Result<Bytes> render_contour(const HeatMap& heat, int width, int height);

/// The picture with the heat map blended in, as an RGBA PNG of the picture's size.
Result<Bytes> render_overlay(const Image& picture, const HeatMap& heat);

}  // namespace xray
