#include "tune/trial_runner.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <thread>

#include "common/clock.h"
#include "common/file.h"
#include "tune/child.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook{50};
constexpr std::chrono::seconds kBeat{5};
/// For a checkpoint, once told to end.
constexpr double kGrace = 20;
constexpr int kTooLarge = 3;
constexpr int kWrongUsage = 2;
constexpr int kBySignal = 128;

/// Follows a file that grows line by line.
class Tail {
 public:
  explicit Tail(fs::path path) : path_(std::move(path)) {}

  /// Calls `visit` with every line that was finished since.
  template <typename Visit>
  void read(const Visit& visit) {
    std::ifstream file(path_, std::ios::binary);
    if (!file) return;
    file.seekg(static_cast<std::streamoff>(at_));
    for (std::string line; std::getline(file, line) && !file.eof();) {
      at_ += line.size() + 1;
      visit(line);
    }
  }

 private:
  fs::path path_;
  std::uint64_t at_ = 0;
};

/// What one record says of an epoch; nothing for the records between epochs.
std::optional<CurvePoint> epoch_of(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("epoch")) return std::nullopt;
  CurvePoint point;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_number()) continue;
    if (name == "epoch")
      point.epoch = static_cast<int>(value.get<double>());
    else if (name != "step")
      point.figures[name] = value.get<double>();
  }
  return point;
}

/// A trial while it runs.
class Run {
 public:
  Run(Trial& trial, const StudySettings& settings, const Space& space, const TrialPlace& place,
      const TrialListener& listener)
      : trial_(trial), settings_(settings), space_(space), place_(place), listener_(listener) {}

  bool run(const std::stop_token& stop) {
    folds_.clear();
    for (int execution = 1; execution <= settings_.executions; ++execution) {
      const End end = execute(execution, stop);
      if (end == End::kWell) continue;
      if (end == End::kLost) return false;
      return true;
    }
    summarise();
    finish(trial_.epochs > 0 ? TrialState::kPaused : TrialState::kDone);
    return true;
  }

 private:
  enum class End { kWell, kLost, kOther };

  void finish(TrialState state, std::string message = {}) {
    trial_.state = state;
    trial_.message = std::move(message);
    if (trial_.is_over()) trial_.ended_at = rfc3339(std::chrono::system_clock::now());
  }

  std::vector<std::string> arguments(const fs::path& folder, int execution) const {
    auto all = trainer_arguments("crossval", settings_, space_, trial_.configuration, place_.data, execution);
    const auto add = [&](const char* option, const std::string& value) {
      all.emplace_back(option);
      all.push_back(value);
    };
    add("--out", folder.string());
    add("--checkpoint-every", std::to_string(place_.checkpoint_every));
    if (settings_.folds_used() < settings_.folds) add("--first", std::to_string(settings_.folds_used()));
    if (settings_.max_parameters > 0) add("--max-parameters", std::to_string(settings_.max_parameters));
    if (trial_.epochs > 0) add("--pause-after", std::to_string(trial_.epochs));
    return all;
  }

  End execute(int execution, const std::stop_token& stop) {
    const fs::path folder = trial_folder(place_.study, trial_.number) / ("run-" + std::to_string(execution));
    std::error_code failed;
    fs::create_directories(folder, failed);
    // What an earlier rung measured is not what this one will.
    for (int fold = 1; fold <= settings_.folds_used(); ++fold)
      fs::remove(folder / ("fold-" + std::to_string(fold)) / "quality.json", failed);
    const fs::path log = folder / "log.txt";
    const auto begin = Clock::now();
    const double before = trial_.seconds;
    auto child = Child::start(place_.trainer, arguments(folder, execution), log);
    if (!child) {
      fail(child.error().message, /*may_retry=*/false);
      return End::kOther;
    }
    tails_.clear();
    auto next_beat = Clock::now() + kBeat;
    for (;;) {
      const std::optional<int> code = child->poll();
      trial_.seconds = before + std::chrono::duration<double>(Clock::now() - begin).count();
      const bool hopeless = look(folder, execution);
      if (hopeless && !code) {
        child->end(kGrace);
        summarise();
        finish(TrialState::kPruned, "given up after " + given_up_);
        return End::kOther;
      }
      if (code) return ended(*code, log);
      if (stop.stop_requested()) {
        child->end(kGrace);
        finish(TrialState::kWaiting, "stopped; it goes on from its checkpoint");
        return End::kOther;
      }
      if (place_.limit > 0 && trial_.seconds > place_.limit) {
        child->end(kGrace);
        fail("took longer than " + std::to_string(static_cast<int>(place_.limit)) + " s",
             /*may_retry=*/false);
        return End::kOther;
      }
      if (Clock::now() > next_beat) {
        next_beat = Clock::now() + kBeat;
        if (!listener_.on_beat(trial_)) {
          child->send(SIGKILL);
          return End::kLost;
        }
      }
      std::this_thread::sleep_for(kLook);
    }
  }

  End ended(int code, const fs::path& log) {
    if (code == 0) return End::kWell;
    const std::string said = last_line(log);
    const std::string message = said.empty() ? "exit code " + std::to_string(code) : said;
    if (code == kTooLarge) {
      finish(TrialState::kInvalid, message);
    } else if (code > kBySignal) {
      const int signal = code - kBySignal;
      fail("ended by signal " + std::to_string(signal) + (signal == SIGKILL ? " (out of memory?)" : ""),
           /*may_retry=*/true);
    } else {
      // The same options will be as wrong again.
      fail(message, /*may_retry=*/code != kWrongUsage);
    }
    return End::kOther;
  }

  void fail(const std::string& message, bool may_retry) {
    ++trial_.failures;
    finish(may_retry && trial_.failures <= settings_.retries ? TrialState::kWaiting : TrialState::kFailed,
           message);
  }

  /// Reads what is new. True where the trial is hopeless.
  bool look(const fs::path& folder, int execution) {
    bool hopeless = false;
    for (int fold = 1; fold <= settings_.folds_used(); ++fold) {
      const fs::path of_fold = folder / ("fold-" + std::to_string(fold));
      auto [tail, fresh] = tails_.try_emplace(fold, of_fold / "metrics.jsonl");
      tail->second.read([&](const std::string& line) {
        auto point = epoch_of(line);
        if (!point) return;
        point->trial = trial_.number;
        point->execution = execution;
        point->fold = fold;
        hopeless |= take_epoch(*point);
      });
      if (folds_.contains({execution, fold})) continue;
      const auto figures = read_fold_figures(of_fold);
      if (!figures) continue;
      folds_[{execution, fold}] = *figures;
      hopeless |= take_fold(execution, fold);
    }
    return hopeless;
  }

  bool take_epoch(const CurvePoint& point) {
    listener_.on_epoch(point);
    if (point.execution != 1 || point.fold != 1) return false;
    for (const Objective& objective : settings_.objectives()) {
      const auto value = point.figures.find(epoch_figure(objective.name));
      if (value == point.figures.end()) continue;
      early_[objective.name] = value->second;
      if (objective.name == settings_.objectives().front().name) trial_.progress[point.epoch] = value->second;
    }
    return trial_.progress.contains(point.epoch) && step(point.epoch, "epoch " + std::to_string(point.epoch));
  }

  bool take_fold(int execution, int fold) {
    // The last of all is no reason to give up any more; nor is the only fold, whose epochs were looked at.
    const int done = static_cast<int>(folds_.size());
    const int all = settings_.folds_used() * settings_.executions;
    const std::string& objective = settings_.objectives().front().name;
    double sum = 0;
    for (const auto& [which, figures] : folds_) {
      const auto value = figures.find(objective);
      if (value == figures.end()) return false;
      sum += value->second;
    }
    const int at = kFoldSteps + done;
    trial_.progress[at] = sum / done;
    const std::string run = settings_.executions > 1 ? " of run " + std::to_string(execution) : "";
    return done < all && step(at, "fold " + std::to_string(fold) + run);
  }

  /// True where the trial is hopeless at `step`.
  bool step(int step, const std::string& what) {
    if (!listener_.on_step(trial_, step)) return false;
    if (given_up_.empty()) given_up_ = what;
    return true;
  }

  /// Means over what there is; where no fold is whole, what its epochs told.
  void summarise() {
    std::map<std::string, std::vector<double>> values;
    for (const auto& [which, figures] : folds_)
      for (const auto& [name, value] : figures) values[name].push_back(value);
    trial_.figures = folds_.empty() ? early_ : Figures();
    for (const auto& [name, all] : values) {
      double sum = 0;
      for (const double value : all) sum += value;
      const double mean = sum / static_cast<double>(all.size());
      trial_.figures[name] = mean;
      if (name != settings_.objectives().front().name || all.size() < 2) continue;
      double squares = 0;
      for (const double value : all) squares += (value - mean) * (value - mean);
      trial_.figures[name + "_deviation"] = std::sqrt(squares / static_cast<double>(all.size() - 1));
    }
    trial_.figures["seconds"] = trial_.seconds;
  }

  Trial& trial_;
  const StudySettings& settings_;
  const Space& space_;
  const TrialPlace& place_;
  const TrialListener& listener_;
  std::map<int, Tail> tails_;
  std::map<std::pair<int, int>, Figures> folds_;  ///< by execution and fold
  Figures early_;
  std::string given_up_;  ///< after what
};

}  // namespace

std::string epoch_figure(const std::string& objective) {
  if (objective == "auc") return "validation_AUC";
  if (objective == "accuracy") return "validation_accuracy";
  if (objective == "validation_loss" || objective == "train_loss") return objective;
  return "";
}

Result<Figures> read_fold_figures(const fs::path& fold) {
  constexpr std::uint64_t kMost = 1U << 20U;
  const auto text = read_text(fold / "quality.json", kMost);
  if (!text) return text.error();
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("figures") || !json.at("figures").is_object())
    return Error{ErrorCode::kDamaged, (fold / "quality.json").string() + " cannot be read"};
  Figures figures;
  for (const auto& [name, value] : json.at("figures").items())
    if (value.is_number()) figures[name] = value.get<double>();
  return figures;
}

bool run_trial(Trial& trial, const StudySettings& settings, const Space& space, const TrialPlace& place,
               const TrialListener& listener, const std::stop_token& stop) {
  return Run(trial, settings, space, place, listener).run(stop);
}

}  // namespace xray
