#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "common/file.h"
#include "common/result.h"
#include "diagnose/diagnoser.h"
#include "diagnose/finding.h"

namespace xray {

/// A picture of a self-test: make_chest(seed, opacity), made harder to read, encoded.
struct SelftestPicture {
  std::uint64_t seed = 1;
  double opacity = 0;        ///< 0..1
  double crop = 0;           ///< share of width and height cut off each edge, 0..0.3
  double noise = 0;          ///< PerturbationKind::kNoise of that amount, 0..1
  bool upside_down = false;  ///< so that a gate has something to refuse
  int scale = 1;             ///< 1..4 times as large; large JPEGs are decoded at reduced scale
  bool jpeg = false;         ///< else PNG
};

/// "chest 3, opacity 0.6, noise 0.3, JPEG".
std::string describe(const SelftestPicture& picture);

/// The file. Failures are those of the encoders.
Result<Bytes> draw(const SelftestPicture& picture);

/// What a model said of a picture when the self-test was pinned.
struct PinnedFinding {
  Verdict verdict = Verdict::kNormal;
  std::vector<Reason> reasons;
  double pneumonia = 0;         ///< per cent; 0 where rejected
  std::optional<double> score;  ///< of severity
};

/// The findings of one of a package's networks.
struct PinnedNetwork {
  std::string sha256;                   ///< of the classifier's file
  double log_odds_tolerance = 0;        ///< on the natural log-odds of pneumonia
  double score_tolerance = 0;           ///< on the severity score (0..18)
  std::vector<PinnedFinding> findings;  ///< one a picture
};

/// Generated pictures and what a model has to say of them; `selftest.json` of a package.
struct Selftest {
  static constexpr int kFormat = 1;
  static constexpr std::size_t kMostPictures = 32;
  std::vector<SelftestPicture> pictures;
  std::optional<PinnedNetwork> fp32;
  std::optional<PinnedNetwork> int8;

  const std::optional<PinnedNetwork>& of(Precision precision) const {
    return precision == Precision::kInt8 ? int8 : fp32;
  }
};

nlohmann::ordered_json to_json(const Selftest& selftest);
/// kBadModel, naming the field.
Result<Selftest> selftest_from_json(const nlohmann::ordered_json& json);

/// The one in the folder of a package; nothing where there is none. kBadModel, kIo.
Result<std::optional<Selftest>> find_selftest(const std::filesystem::path& package);

/// Into the folder of a package, atomically. kIo.
Result<Done> write_selftest(const std::filesystem::path& package, const Selftest& selftest);

/// What the package's networks, in floats and in 8 bit where it holds both, say of the pictures of
/// every pin. Failures are those of make_diagnoser and diagnose.
Result<Selftest> pin_selftest(const std::filesystem::path& package);

/// File -> Finding, the way that is to be tested; users' limits do not hold for these files.
using Examine = std::function<Result<Finding>(std::span<const std::byte>)>;

/// Holds what `examine` says of the pictures of the diagnoser's package against what is pinned
/// there. Where nothing is pinned, one picture has to be read without an error. Returns what was done, for
/// people; kBadModel tells which picture failed by how much; kCancelled after a picture during which `stop`
/// was asked for.
Result<std::string> run_selftest(const Diagnoser& diagnoser, const Examine& examine,
                                 const std::stop_token& stop = {});

/// The words of run_selftest() where nothing is pinned.
inline constexpr const char* kNoPinnedSelftest = "no pinned self-test";

}  // namespace xray
