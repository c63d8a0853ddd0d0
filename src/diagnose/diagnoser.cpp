#include "diagnose/diagnoser.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <future>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include "common/grid.h"

namespace xray {
namespace {

/// Milliseconds since it was made or last asked.
class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double, std::milli> passed = now - start_;
    start_ = now;
    return passed.count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// e is how far the log-odds that a picture looking like one cell all over would have
/// lie above those of the threshold. In pneumonia they are up nearly everywhere, which
/// tells nobody where to look; so heat begins at the mean of the map, the evidence of
/// the picture as a whole (or at 0, if that is higher), and rises to its peak, whose
/// own strength is 1 - exp(-e / 5): odds of 150:1 come to 0.63, of 22,000:1 to 0.86.
HeatMap heat_from(const ModelCard& card, const Prediction& prediction) {
  HeatMap heat{prediction.map_width, prediction.map_height, {}};
  const std::size_t cells = prediction.maps.size() / card.classes.size();
  const double threshold = std::log(card.threshold / (1 - card.threshold));
  std::vector<double> evidence;
  std::vector<float> logits(card.classes.size());
  for (std::size_t cell = 0; cell < cells; ++cell) {
    for (std::size_t c = 0; c < logits.size(); ++c) logits[c] = prediction.maps[c * cells + cell];
    evidence.push_back(pneumonia_log_odds(card, logits) - threshold);
  }
  const double mean = std::accumulate(evidence.begin(), evidence.end(), 0.0) / static_cast<double>(cells);
  const double floor = std::max(0.0, mean);
  const double peak = *std::max_element(evidence.begin(), evidence.end());
  const double strength = 1 - std::exp(-std::max(0.0, peak) / 5);
  for (const double e : evidence)
    heat.values.push_back(e > floor ? static_cast<float>(strength * (e - floor) / (peak - floor)) : 0.0F);
  return heat;
}

/// Cells of a heat map over the whole film, in each direction.
constexpr int kHeatCells = 32;

/// The heat of what the network saw (`frame` of the film) laid back on the whole film,
/// linearly interpolated, and kept where there is lung: the network's cells are
/// coarser than the lungs' outline.
HeatMap heat_in_lungs(const HeatMap& seen, const Frame& frame, const LungField& field) {
  HeatMap heat{kHeatCells, kHeatCells, {}};
  const auto lung_share = [&](int cell_x, int cell_y) {
    double sum = 0;
    int count = 0;
    for (int y = cell_y * field.height / kHeatCells; y < (cell_y + 1) * field.height / kHeatCells; ++y)
      for (int x = cell_x * field.width / kHeatCells; x < (cell_x + 1) * field.width / kHeatCells;
           ++x, ++count)
        sum += static_cast<double>(field.probability[cell_at(x, y, field.width)]);
    return count == 0 ? 0.0 : sum / count;
  };
  const auto seen_at = [&](int x, int y) {
    x = std::clamp(x, 0, seen.width - 1);
    y = std::clamp(y, 0, seen.height - 1);
    return static_cast<double>(seen.values[cell_at(x, y, seen.width)]);
  };
  for (int y = 0; y < kHeatCells; ++y) {
    for (int x = 0; x < kHeatCells; ++x) {
      // Centre of the cell: film -> frame -> the network's grid.
      const double across = ((x + 0.5) * kFilmSide / kHeatCells - frame.x) / frame.width;
      const double down = ((y + 0.5) * kFilmSide / kHeatCells - frame.y) / frame.height;
      if (across < 0 || across > 1 || down < 0 || down > 1) {
        heat.values.push_back(0);
        continue;
      }
      const double sx = across * seen.width - 0.5;
      const double sy = down * seen.height - 0.5;
      const int x0 = static_cast<int>(std::floor(sx));
      const int y0 = static_cast<int>(std::floor(sy));
      const double value =
          std::lerp(std::lerp(seen_at(x0, y0), seen_at(x0 + 1, y0), sx - x0),
                    std::lerp(seen_at(x0, y0 + 1), seen_at(x0 + 1, y0 + 1), sx - x0), sy - y0);
      heat.values.push_back(static_cast<float>(value * lung_share(x, y)));
    }
  }
  return heat;
}

/// opacity_in_zones() on a grid over the whole film, 0 outside the lungs; thin veils, which healthy lungs
/// have too, are left out.
HeatMap heat_of(const std::vector<float>& opacity, const ZoneMap& zones) {
  constexpr float kVeil = 0.05F;
  HeatMap heat{kHeatCells, kHeatCells, std::vector<float>(std::size_t{kHeatCells} * kHeatCells)};
  std::vector<float> count(heat.values.size());
  for (std::size_t cell = 0; cell < opacity.size(); ++cell) {
    const int x = static_cast<int>(cell) % zones.width * kHeatCells / zones.width;
    const int y = static_cast<int>(cell) / zones.width * kHeatCells / zones.height;
    const std::size_t at = cell_at(x, y, kHeatCells);
    heat.values[at] += std::max(0.0F, opacity[cell] - kVeil) / (1 - kVeil);
    count[at] += 1;
  }
  for (std::size_t i = 0; i < count.size(); ++i) heat.values[i] /= std::max(count[i], 1.0F);
  return heat;
}

/// Null where the package looks for no lungs.
Result<std::unique_ptr<LungFinder>> load_lungs(const ModelPackage& package, const BackendOptions& options) {
  if (!package.card.lungs) return std::unique_ptr<LungFinder>();
  return make_lung_finder(package.directory, *package.card.lungs, options);
}

/// Nothing where the package tells no severity.
Result<std::optional<SeverityPart>> load_severity(const ModelPackage& package,
                                                  const BackendOptions& options) {
  if (!package.card.lungs) return std::optional<SeverityPart>();
  auto found = find_severity_model(package.directory);
  if (!found) return found.error();
  if (!*found) return std::optional<SeverityPart>();
  auto made = make_opacity_finder(package.directory / kSeverityFolder, **found, options);
  if (!made) return with_context(made.error(), kSeverityFolder);
  return std::optional<SeverityPart>(SeverityPart{std::move(**found), std::move(*made)});
}

}  // namespace

double pneumonia_log_odds(const ModelCard& card, std::span<const float> logits) {
  // logit(1 - softmax_normal) = log sum exp(others) - normal, without a probability
  // that rounds to 0 or 1 on the way.
  std::vector<double> scaled(logits.begin(), logits.end());
  for (double& value : scaled) value /= card.calibration.temperature;
  const double highest = *std::max_element(scaled.begin() + 1, scaled.end());
  double sum = 0;
  for (std::size_t c = 1; c < scaled.size(); ++c) sum += std::exp(scaled[c] - highest);
  const double raw = highest + std::log(sum) - scaled[0];
  return card.calibration.slope * raw + card.calibration.intercept;
}

double pneumonia_probability(const ModelCard& card, std::span<const float> logits) {
  return sigmoid(pneumonia_log_odds(card, logits));
}

Diagnoser::Diagnoser(ModelCard card, std::unique_ptr<Backend> backend, DecodeLimits limits,
                     std::unique_ptr<LungFinder> lungs, std::optional<SeverityPart> severity,
                     std::optional<ModelOrigin> origin)
    : card_(std::move(card)),
      preprocessor_(card_.input),
      backend_(std::move(backend)),
      lungs_(std::move(lungs)),
      severity_(std::move(severity)),
      limits_(limits),
      origin_(std::move(origin)) {
  if ((card_.input.framing == Framing::kLungs) != (lungs_ != nullptr))
    throw std::invalid_argument("Diagnoser: the card's framing and the lung finder do not belong together");
  if (severity_ && !lungs_) throw std::invalid_argument("Diagnoser: severity needs the lungs");
}

Result<Image> Diagnoser::decode(std::span<const std::byte> bytes, const DecodeLimits& limits) const {
  return decode_image(bytes, limits, preprocessor_.decode_size());
}

Result<Finding> Diagnoser::diagnose(std::span<const std::byte> bytes, const DecodeLimits& limits) const {
  Stopwatch stopwatch;
  const auto image = decode(bytes, limits);
  if (!image) return image.error();
  const double milliseconds = stopwatch.lap();
  auto finding = diagnose(*image);
  if (finding.ok()) {
    finding->timing.decode = milliseconds;
    finding->timing.total += milliseconds;
  }
  return finding;
}

Result<LungField> Diagnoser::find_lungs(const Image& film) const {
  if (!lungs_) return Error{ErrorCode::kUnsupported, "this model looks for no lungs"};
  return lungs_->find(film);
}

/// What the network is to see of a picture, or why it is to see nothing of it.
struct Diagnoser::Prepared {
  std::vector<float> input;
  Image film;       ///< as the lungs were found on it; empty where none are looked for
  LungField field;  ///< likewise
  Frame frame;
  std::vector<Reason> reasons;
  bool rejected = false;

  void reject(Reason reason) {
    reasons.push_back(reason);
    rejected = true;
  }
};

/// The one way round in which a refused picture is a film beyond doubt, and how it lay.
struct Diagnoser::OtherWay {
  Reason reason = Reason::kNoFrontalFilm;
  Image film;
  LungField field;
};

std::vector<Reason> Diagnoser::doubts(const Prepared& prepared) {
  // Hardly a film of the pediatric set or of adults' lies beyond.
  constexpr double kFewestLevels = 30;
  constexpr double kMostClipped = 0.35;
  constexpr double kMostCut = 1.1;
  std::vector<Reason> reasons;
  if (prepared.field.probability.empty()) return reasons;
  const LungPicture picture = judge_picture(prepared.film, prepared.field);
  if (picture.range < kFewestLevels || picture.clipped > kMostClipped)
    reasons.push_back(Reason::kPoorExposure);
  if (picture.cut > kMostCut) reasons.push_back(Reason::kLungsCut);
  return reasons;
}

Result<Diagnoser::Prepared> Diagnoser::prepare(const Image& image, Timing& timing) const {
  Prepared prepared{.input = std::vector<float>(preprocessor_.input_size())};
  Stopwatch stopwatch;
  const auto usable = [&](const auto& result) -> Result<bool> {
    if (result) return true;
    if (result.error().code != ErrorCode::kUnusable) return result.error();
    const bool small = std::min(image.width(), image.height()) < kSmallestSide;
    prepared.reject(small ? Reason::kTooSmall : Reason::kFlat);
    return false;
  };
  if (!lungs_) {
    const auto done = usable(preprocessor_(image, prepared.input));
    timing.preprocess = stopwatch.lap();
    if (!done) return done.error();
    return prepared;
  }
  Result<Image> film = standard_film(image);
  const auto done = usable(film);
  if (!done) return done.error();
  if (!*done) return prepared;
  timing.preprocess = stopwatch.lap();
  auto field = lungs_->find(*film);
  if (!field) return field.error();
  const LungGate* const gate = card_.lungs && card_.lungs->gate ? &*card_.lungs->gate : nullptr;
  if (gate != nullptr && gate_score(*gate, *film, *field) < gate->threshold) {
    auto other = other_way(*film, *gate);
    if (!other) return other.error();
    if (other->reason == Reason::kInverted) {
      film = std::move(other->film);
      field = std::move(other->field);
      prepared.reasons.push_back(Reason::kInverted);
    } else {
      prepared.reject(other->reason);
    }
  }
  timing.infer = timing.lungs = stopwatch.lap();
  if (prepared.rejected) return prepared;
  const auto cropped = preprocessor_(*film, *field, prepared.input);
  timing.preprocess += stopwatch.lap();
  if (cropped) {
    prepared.frame = *cropped;
    prepared.field = std::move(*field);
    prepared.film = std::move(*film);
  } else if (cropped.error().code == ErrorCode::kUnusable) {
    prepared.reject(Reason::kNoLungs);
  } else {
    return cropped.error();
  }
  return prepared;
}

Result<Diagnoser::OtherWay> Diagnoser::other_way(const Image& film, const LungGate& gate) const {
  /// Log-odds above the threshold from which there is no doubt.
  constexpr double kBeyondDoubt = 3;
  std::pair<Reason, Image> ways[] = {
      {Reason::kInverted, inverted(film)},
      {Reason::kUpsideDown, turned(film, Orientation::kBottomRight)},
      {Reason::kTurnedLeft, turned(film, Orientation::kRightTop)},
      {Reason::kTurnedRight, turned(film, Orientation::kLeftBottom)},
  };
  OtherWay best;
  double highest = gate.threshold + kBeyondDoubt;
  for (auto& [reason, way] : ways) {
    auto field = lungs_->find(way);
    if (!field) return field.error();
    const double score = gate_score(gate, way, *field);
    if (score < highest) continue;
    highest = score;
    best = {reason, std::move(way), std::move(*field)};
  }
  return best;
}

Result<Finding> Diagnoser::diagnose(const Image& image) const {
  Finding finding;
  finding.model = card_.id();
  finding.width = image.source_width();
  finding.height = image.source_height();
  Stopwatch total;
  auto prepared = prepare(image, finding.timing);
  if (!prepared) return prepared.error();
  finding.reasons = std::move(prepared->reasons);
  if (prepared->rejected) {
    finding.verdict = Verdict::kRejected;
    finding.timing.total = total.lap();
    return finding;
  }

  Stopwatch stopwatch;
  const auto predictions = backend_->infer(prepared->input, 1);
  if (!predictions) return predictions.error();
  finding.timing.classify = stopwatch.lap();
  finding.timing.infer += finding.timing.classify;

  const Prediction& prediction = predictions->front();
  const auto& logits = prediction.logits;
  if (!std::all_of(logits.begin(), logits.end(), [](float v) { return std::isfinite(v); }))
    return Error{ErrorCode::kInternal, "the network's answer is not a number"};

  const double pneumonia = pneumonia_probability(card_, logits);
  finding.verdict = pneumonia >= card_.threshold ? Verdict::kPneumonia : Verdict::kNormal;
  if (pneumonia >= card_.undecided.low && pneumonia < card_.undecided.high) {
    finding.verdict = Verdict::kUncertain;
    finding.reasons.push_back(Reason::kNearThreshold);
  }
  for (const Reason doubt : doubts(*prepared)) {
    finding.verdict = Verdict::kUncertain;
    finding.reasons.push_back(doubt);
  }
  finding.pneumonia = 100 * pneumonia;
  finding.normal = 100 - finding.pneumonia;
  if (logits.size() == 3) {
    const Calibration& c = card_.calibration;
    finding.viral = 100 * sigmoid(c.kind_slope * static_cast<double>(logits[2] - logits[1]) / c.temperature +
                                  c.kind_intercept);
    finding.bacterial = 100 - finding.viral;
  }
  if (severity_) {
    stopwatch.lap();
    if (const auto told = tell_severity(*severity_, *prepared, finding); !told) return told.error();
    finding.timing.severity = stopwatch.lap();
    finding.timing.infer += finding.timing.severity;
  } else if (!prediction.maps.empty()) {
    finding.heat = heat_from(card_, prediction);
    if (lungs_) finding.heat = heat_in_lungs(finding.heat, prepared->frame, prepared->field);
  }
  finding.timing.total = total.lap();
  return finding;
}

Result<Done> Diagnoser::tell_severity(const SeverityPart& part, const Prepared& prepared, Finding& finding) {
  const auto map = part.finder->find(prepared.film, prepared.field);
  if (!map) return map.error();
  const ZoneMap zones = zones_of(prepared.field);
  const std::vector<float> opacity = opacity_in_zones(*map, zones);
  const Severity severity = severity_of(part.model, opacity, zones);
  finding.severity = severity;
  finding.heat = heat_of(opacity, zones);
  if (finding.verdict == Verdict::kNormal && is_hardly_normal(part.model, severity)) {
    finding.verdict = Verdict::kUncertain;
    finding.reasons.push_back(Reason::kOpacity);
  }
  return Done{};
}

Result<std::unique_ptr<Diagnoser>> make_diagnoser(const std::filesystem::path& package,
                                                  const DecodeLimits& limits, const BackendOptions& options) {
  auto loaded = load_package(package);
  if (!loaded) return loaded.error();
  // Networks are compiled beside each other: that is nearly all of the time it takes to start.
  auto severity = std::async(std::launch::async, load_severity, std::cref(*loaded), std::cref(options));
  auto finder = std::async(std::launch::async, load_lungs, std::cref(*loaded), std::cref(options));
  auto backend = make_openvino_backend(*loaded, options);
  auto lungs = finder.get();
  auto part = severity.get();
  if (!backend) return backend.error();
  if (!lungs) return lungs.error();
  if (!part) return part.error();
  const NetworkFiles& network = loaded->card.network;
  const Precision precision = options.precision.value_or(network.int8 ? Precision::kInt8 : Precision::kFp32);
  ModelOrigin origin{package, precision == Precision::kInt8 ? network.int8.value() : network.fp32, precision};
  return std::make_unique<Diagnoser>(std::move(loaded->card), std::move(*backend), limits, std::move(*lungs),
                                     std::move(*part), std::move(origin));
}

}  // namespace xray
