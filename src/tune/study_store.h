#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "store/sql.h"
#include "tune/trial.h"
#include "tune/tuner.h"

namespace xray {

/// Figures of one epoch of one fold.
struct CurvePoint {
  std::int64_t trial = 0;
  int execution = 1;
  int fold = 1;
  int epoch = 0;
  Figures figures;
};

/// Trial <-> JSON, all of its fields. from: kStorage, naming what is wrong.
nlohmann::ordered_json to_json(const Trial& trial);
Result<Trial> trial_from_json(const nlohmann::ordered_json& json);

/// A study in a database that its workers share, in one process or on many machines. Every call is one
/// transaction, and what it returned from survives a crash. Thread-safe. Failures: kStorage, kBusy (try
/// again).
class StudyStore {
 public:
  /// Opens `url` (sql::open_database) for the study of that name, which may not exist yet.
  static Result<std::unique_ptr<StudyStore>> open(const std::string& url, const std::string& name);

  /// Makes the study; where there is one, returns the settings it was made with instead.
  Result<nlohmann::ordered_json> create(const nlohmann::ordered_json& settings);
  /// kNotFound where there is no such study.
  Result<nlohmann::ordered_json> settings();

  /// All trials, by number.
  Result<std::vector<Trial>> trials();

  /// What claim() may do.
  struct ClaimRules {
    std::string worker;
    /// Whether a worker is known to be gone, so that its trials need not wait until they are stale.
    std::function<bool(const std::string& worker)> is_gone;
    std::chrono::seconds stale{60};  ///< since its last touch(): the worker is taken for dead
    bool may_begin = true;           ///< new trials and promotions; else only what waits or was left
    std::int64_t max_trials = 0;     ///< of the study, imported ones apart; 0: no limit
  };
  struct Claimed {
    std::optional<Trial> trial;  ///< running, and this worker's
    bool wait = false;           ///< none now, but there may be later
  };
  /// Takes a dead worker's trial, or one that waits, or what `tuner` proposes.
  Result<Claimed> claim(const ClaimRules& rules, const Tuner& tuner);

  /// Says that the worker lives, and stores the trial. False where another worker has it by now: then this
  /// one has to let go.
  Result<bool> touch(const Trial& trial);

  /// Adds trials of an earlier study, numbered after those that are there; those that came before from the
  /// same study under the same number are passed over. How many were added.
  Result<int> import(std::vector<Trial> trials);

  Result<Done> add(const CurvePoint& point);
  /// By trial, execution, fold and epoch.
  Result<std::vector<CurvePoint>> curves();

  /// Adds the time since the last call, by whichever worker, to the study's time, a pause of more than ten
  /// seconds apart. Returns the study's time.
  Result<double> tick();

 private:
  StudyStore(std::unique_ptr<sql::Database> database, std::string name)
      : database_(std::move(database)), name_(std::move(name)) {}
  std::vector<Trial> read_trials(sql::Connection& connection);
  void insert(sql::Connection& connection, const Trial& trial);
  std::int64_t put(sql::Connection& connection, const Trial& trial, const std::string& of_worker);

  std::unique_ptr<sql::Database> database_;
  std::string name_;
};

}  // namespace xray
