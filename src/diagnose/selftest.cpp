#include "diagnose/selftest.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "image/encode.h"
#include "perturb/perturb.h"
#include "perturb/synthetic_chest.h"

namespace xray {
namespace {

/// The pictures of every pin. With the shipped model they lie on both sides of every line that a
/// verdict knows, far from each: normal, opaque, undecided in the middle, pneumonia, refused; one is
/// large enough to be decoded at reduced scale.
constexpr std::array kPictures = {
    SelftestPicture{.seed = 1},
    SelftestPicture{.seed = 2, .opacity = 0.6, .jpeg = true},
    SelftestPicture{.seed = 3, .opacity = 0.6, .crop = 0.12, .noise = 0.3},
    SelftestPicture{.seed = 2, .opacity = 0.6, .noise = 0.8, .jpeg = true},
    SelftestPicture{.seed = 4, .upside_down = true},
    SelftestPicture{.seed = 5, .scale = 3, .jpeg = true},
};

/// The same network gives slightly other scores on another CPU: sums are taken in another order, and
/// kernels for 8 bit round in other places. Among AVX2, AVX-512, VNNI and AMX these pictures moved by
/// 0.0001 at most in floats and by 0.03 in 8 bit, their severity by 0.001 and 0.03. What is wrong with
/// a machine or a package moves them by far more: slightly blurred pictures by 0.17.
constexpr double kFp32LogOdds = 0.02;
constexpr double kInt8LogOdds = 0.12;
constexpr double kFp32Score = 0.05;
constexpr double kInt8Score = 0.3;

double log_odds(double percent) {
  const double probability = std::clamp(percent / 100, 1e-9, 1 - 1e-9);
  return std::log(probability / (1 - probability));
}

/// Without a severity model nobody doubts a normal film for its opacity.
PinnedFinding without_severity(PinnedFinding pinned) {
  pinned.score.reset();
  if (std::erase(pinned.reasons, Reason::kOpacity) != 0) pinned.verdict = Verdict::kNormal;
  return pinned;
}

PinnedFinding pin(const Finding& finding) {
  return {finding.verdict, finding.reasons, finding.pneumonia,
          finding.severity ? std::optional(finding.severity->score) : std::nullopt};
}

std::string verdict_text(Verdict verdict, const std::vector<Reason>& reasons) {
  std::string text = name(verdict);
  for (const Reason reason : reasons) text += std::string(" ") + name(reason);
  return text;
}

/// What is wrong with a finding; empty where it is as pinned.
std::string difference(const Finding& finding, const PinnedFinding& pinned, const PinnedNetwork& network) {
  const double off = std::abs(log_odds(finding.pneumonia) - log_odds(pinned.pneumonia));
  // A comparison with NaN is false.
  if (!(off <= network.log_odds_tolerance))
    return fmt::format("{:.2f} % pneumonia instead of {:.2f} % (log-odds off by {:.2g}, more than {:g})",
                       finding.pneumonia, pinned.pneumonia, off, network.log_odds_tolerance);
  if (finding.verdict != pinned.verdict || finding.reasons != pinned.reasons)
    return fmt::format("{} instead of {}", verdict_text(finding.verdict, finding.reasons),
                       verdict_text(pinned.verdict, pinned.reasons));
  if (finding.severity.has_value() != pinned.score.has_value())
    return finding.severity ? "a severity where none is pinned" : "no severity";
  if (pinned.score && !(std::abs(finding.severity->score - *pinned.score) <= network.score_tolerance))
    return fmt::format("a severity of {:.2f} instead of {:.2f}", finding.severity->score, *pinned.score);
  return {};
}

Result<PinnedNetwork> pin_network(const std::filesystem::path& package, Precision precision) {
  const auto diagnoser = make_diagnoser(package, {}, {.precision = precision});
  if (!diagnoser) return diagnoser.error();
  const bool int8 = precision == Precision::kInt8;
  PinnedNetwork network{.sha256 = (*diagnoser)->origin()->network.sha256,
                        .log_odds_tolerance = int8 ? kInt8LogOdds : kFp32LogOdds,
                        .score_tolerance = int8 ? kInt8Score : kFp32Score};
  for (const SelftestPicture& picture : kPictures) {
    const auto bytes = draw(picture);
    if (!bytes) return bytes.error();
    const auto finding = (*diagnoser)->diagnose(*bytes);
    if (!finding) return with_context(finding.error(), describe(picture));
    network.findings.push_back(pin(*finding));
  }
  return network;
}

/// For a package without pins: that a picture passes from bytes to finding at all.
Result<std::string> run_plain(const Examine& examine) {
  const SelftestPicture picture;
  const auto bytes = draw(picture);
  if (!bytes) return bytes.error();
  const auto finding = examine(*bytes);
  if (!finding)
    return Error{ErrorCode::kBadModel, "self-check: " + describe(picture) + ": " + finding.error().message};
  return std::string(kNoPinnedSelftest);
}

}  // namespace

std::string describe(const SelftestPicture& picture) {
  std::string text = fmt::format("chest {}", picture.seed);
  if (picture.opacity > 0) text += fmt::format(", opacity {:g}", picture.opacity);
  if (picture.crop > 0) text += fmt::format(", cut by {:g}", picture.crop);
  if (picture.noise > 0) text += fmt::format(", noise {:g}", picture.noise);
  if (picture.upside_down) text += ", upside down";
  if (picture.scale > 1) text += fmt::format(", {} times as large", picture.scale);
  return text + (picture.jpeg ? ", JPEG" : ", PNG");
}

Result<Bytes> draw(const SelftestPicture& picture) {
  Image film = make_chest(picture.seed, picture.opacity);
  if (picture.upside_down) film = turned(film, Orientation::kBottomRight);
  if (picture.crop > 0) film = perturb(film, {PerturbationKind::kCrop, picture.crop}, picture.seed);
  if (picture.noise > 0) film = perturb(film, {PerturbationKind::kNoise, picture.noise}, picture.seed);
  if (picture.scale > 1)
    film = perturb(film, {PerturbationKind::kScale, static_cast<double>(picture.scale)}, picture.seed);
  return picture.jpeg ? encode_jpeg(film) : encode_png(film);
}

Result<Selftest> pin_selftest(const std::filesystem::path& package) {
  const auto loaded = load_package(package);
  if (!loaded) return loaded.error();
  Selftest selftest{.pictures = {kPictures.begin(), kPictures.end()}, .fp32 = {}, .int8 = {}};
  auto fp32 = pin_network(package, Precision::kFp32);
  if (!fp32) return fp32.error();
  selftest.fp32 = std::move(*fp32);
  if (loaded->card.network.int8) {
    auto int8 = pin_network(package, Precision::kInt8);
    if (!int8) return int8.error();
    selftest.int8 = std::move(*int8);
  }
  return selftest;
}

Result<std::string> run_selftest(const Diagnoser& diagnoser, const Examine& examine,
                                 const std::stop_token& stop) {
  const ModelOrigin* origin = diagnoser.origin();
  Result<std::optional<Selftest>> found = std::optional<Selftest>();
  if (origin != nullptr) found = find_selftest(origin->package);
  if (!found) return found.error();
  const std::optional<Selftest>& pinned_here = *found;
  if (!pinned_here) return run_plain(examine);
  const Selftest& selftest = *pinned_here;
  const std::optional<PinnedNetwork>& network = selftest.of(origin->precision);
  if (!network || network->sha256 != origin->network.sha256)
    return Error{ErrorCode::kBadModel,
                 fmt::format("self-test: {} is not the network that was pinned; 'xray model pin' pins it",
                             origin->network.name)};
  for (std::size_t i = 0; i < selftest.pictures.size(); ++i) {
    if (stop.stop_requested()) return Error{ErrorCode::kCancelled, "the self-test was stopped"};
    const SelftestPicture& picture = selftest.pictures[i];
    const auto bytes = draw(picture);
    if (!bytes) return bytes.error();
    const auto finding = examine(*bytes);
    const PinnedFinding pinned =
        diagnoser.severity_model() != nullptr ? network->findings[i] : without_severity(network->findings[i]);
    const std::string wrong = finding ? difference(*finding, pinned, *network) : finding.error().message;
    if (!wrong.empty())
      return Error{ErrorCode::kBadModel, fmt::format("self-test: picture {} of {} ({}): {}", i + 1,
                                                     selftest.pictures.size(), describe(picture), wrong)};
  }
  return fmt::format("{} pinned pictures", selftest.pictures.size());
}

}  // namespace xray
