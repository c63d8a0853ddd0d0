#include "tune/session.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <sstream>
#include <thread>

#include "tune/hparams_log.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{1'000};
constexpr std::chrono::milliseconds kIdle{500};
constexpr std::chrono::seconds kDiskLook{10};
/// For which a database that is away is waited for.
constexpr std::chrono::seconds kPatience{120};

/// When a process of this machine began, in clock ticks since the machine did; empty where there is none.
std::string start_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text;
  std::getline(file, text);
  // The name, in parentheses, may hold anything; the 20th field after it is the start.
  const std::size_t name = text.rfind(')');
  if (name == std::string::npos) return "";
  std::istringstream fields(text.substr(name + 1));
  constexpr int kField = 20;
  std::string field;
  for (int i = 0; i < kField; ++i) fields >> field;
  return field;
}

std::string host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

void sleep_until_stopped(std::chrono::milliseconds time, const std::stop_token& stop) {
  const auto until = Clock::now() + time;
  while (Clock::now() < until && !stop.stop_requested())
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

std::string process_identity() {
  const std::string pid = std::to_string(::getpid());
  return host() + ":" + pid + ":" + start_of(pid);
}

bool is_gone(const std::string& worker) {
  // host:pid:start:slot, of which the host may hold colons.
  std::vector<std::string> parts;
  std::string left = worker;
  for (int i = 0; i < 3; ++i) {
    const std::size_t colon = left.rfind(':');
    if (colon == std::string::npos) return false;
    parts.push_back(left.substr(colon + 1));
    left.resize(colon);
  }
  return left == host() && start_of(parts[2]) != parts[1];
}

std::uint64_t folder_size(const fs::path& folder) {
  std::uint64_t size = 0;
  std::error_code failed;
  for (auto entry = fs::recursive_directory_iterator(folder, failed); !failed && entry != fs::end(entry);
       entry.increment(failed)) {
    std::error_code unreadable;
    if (!entry->is_regular_file(unreadable)) continue;
    const std::uint64_t bytes = entry->file_size(unreadable);
    if (!unreadable) size += bytes;
  }
  return size;
}

TuneSession::TuneSession(StudyStore& store, const StudySettings& settings, const Space& space,
                         const TrialPlace& place, TuneLimits limits, TuneEvents events)
    : store_(store),
      settings_(settings),
      space_(space),
      place_(place),
      limits_(limits),
      events_(std::move(events)) {}

void TuneSession::end_with(TuneEnd end) {
  const std::lock_guard guard(mutex_);
  if (!end_) end_ = end;
  // What runs may come to its end where there is merely nothing more to begin.
  if (end != TuneEnd::kExhausted && end != TuneEnd::kTrials) halt_.request_stop();
}

void TuneSession::fail(const Error& error) {
  const std::lock_guard guard(mutex_);
  if (!error_) error_ = error;
  halt_.request_stop();
}

template <typename Call>
auto TuneSession::patiently(const Call& call) -> decltype(call()) {
  const auto until = Clock::now() + kPatience;
  for (;;) {
    auto result = call();
    if (result || result.error().code != ErrorCode::kBusy || Clock::now() > until) return result;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

void TuneSession::carry_out(Trial trial) {
  {
    const std::lock_guard guard(mutex_);
    events_.on_begin(trial);
  }
  bool lost = false;
  const TrialListener listener{
      .on_epoch =
          [&](const CurvePoint& point) {
            if (const auto added = patiently([&] { return store_.add(point); }); !added) fail(added.error());
            const std::lock_guard guard(mutex_);
            events_.on_epoch(point);
          },
      .on_step =
          [&](const Trial& now, int step) {
            if (const auto touched = patiently([&] { return store_.touch(now); }); !touched)
              fail(touched.error());
            if (settings_.pruner.kind == "none") return false;
            const auto all = patiently([&] { return store_.trials(); });
            return all && is_hopeless(settings_.pruner, settings_.objectives().front(), now, step, *all);
          },
      .on_beat =
          [&](const Trial& now) {
            const auto mine = patiently([&] { return store_.touch(now); });
            if (!mine) fail(mine.error());
            lost = mine && !*mine;
            return !lost;
          }};
  const bool mine = run_trial(trial, settings_, space_, place_, listener, halt_.get_token());
  if (!mine) {
    spdlog::warn("trial {} was taken up by another worker", trial.number);
    return;
  }
  const auto stored = patiently([&] { return store_.touch(trial); });
  if (!stored) return fail(stored.error());
  if (trial.is_over()) {
    try {
      write_hparams_trial(place_.study / "tensorboard", trial);
    } catch (const std::exception& error) {
      spdlog::warn("{}", error.what());
    }
  }
  const auto all = store_.trials();
  if (all) drop_checkpoints(*all);
  {
    const std::lock_guard guard(mutex_);
    events_.on_end(trial);
  }
  if (all && too_many_failures(*all)) end_with(TuneEnd::kFailures);
}

void TuneSession::drop_checkpoints(const std::vector<Trial>& trials) const {
  std::set<std::int64_t> kept;
  for (const Trial* trial : ranked(trials, settings_.objectives())) {
    if (kept.size() == static_cast<std::size_t>(limits_.keep)) break;
    if (trial->state == TrialState::kDone) kept.insert(trial->number);
  }
  for (const Trial& trial : trials) {
    if (!trial.is_over() || kept.contains(trial.number)) continue;
    std::error_code failed;
    const fs::path folder = trial_folder(place_.study, trial.number);
    std::vector<fs::path> dropped;
    for (auto entry = fs::recursive_directory_iterator(folder, failed); !failed && entry != fs::end(entry);
         entry.increment(failed))
      if (entry->path().extension() == ".pt") dropped.push_back(entry->path());
    for (const fs::path& path : dropped) fs::remove(path, failed);
  }
}

bool TuneSession::too_many_failures(const std::vector<Trial>& trials) const {
  std::vector<const Trial*> over;
  for (const Trial& trial : trials)
    if (trial.is_over() && trial.state != TrialState::kImported) over.push_back(&trial);
  std::ranges::stable_sort(over, {}, &Trial::ended_at);
  const auto most = static_cast<std::size_t>(limits_.max_failures);
  if (limits_.max_failures <= 0 || over.size() < most) return false;
  return std::all_of(over.end() - limits_.max_failures, over.end(),
                     [](const Trial* trial) { return trial->state == TrialState::kFailed; });
}

void TuneSession::work(const Tuner& tuner, int slot) {
  const std::string worker = process_identity() + ":" + std::to_string(slot);
  const StudyStore::ClaimRules rules{
      .worker = worker,
      .is_gone = [&](const std::string& of) { return of == worker || is_gone(of); },
      .max_trials = limits_.trials};
  while (!halt_.stop_requested()) {
    auto claimed = patiently([&] { return store_.claim(rules, tuner); });
    if (!claimed) return fail(claimed.error());
    if (claimed->trial) {
      carry_out(std::move(*claimed->trial));
      continue;
    }
    if (!claimed->wait) {
      const auto all = patiently([&] { return store_.trials(); });
      if (!all) return fail(all.error());
      const auto own =
          std::ranges::count_if(*all, [](const Trial& t) { return t.state != TrialState::kImported; });
      return end_with(limits_.trials > 0 && own >= limits_.trials ? TuneEnd::kTrials : TuneEnd::kExhausted);
    }
    sleep_until_stopped(kIdle, halt_.get_token());
  }
}

Result<TuneEnd> TuneSession::run(const std::stop_token& stop) {
  const auto tuner = make_tuner(space_, settings_.tuner);
  if (!tuner) return tuner.error();
  std::vector<std::jthread> workers;
  std::atomic<int> at_work = limits_.parallel;
  for (int slot = 0; slot < limits_.parallel; ++slot)
    workers.emplace_back([&, slot] {
      try {
        work(**tuner, slot);
      } catch (const std::exception& error) {
        fail({ErrorCode::kInternal, error.what()});
      }
      --at_work;
    });
  auto next_look = Clock::now();
  const auto look_at_disk = [&] {
    if (limits_.disk == 0 || Clock::now() < next_look) return;
    next_look = Clock::now() + kDiskLook;
    if (folder_size(place_.study) > limits_.disk) end_with(TuneEnd::kDisk);
  };
  auto next_tick = Clock::now();
  while (at_work > 0) {
    if (stop.stop_requested()) end_with(TuneEnd::kStopped);
    if (Clock::now() >= next_tick) {
      next_tick = Clock::now() + kTick;
      const auto seconds = store_.tick();
      if (!seconds && seconds.error().code != ErrorCode::kBusy) fail(seconds.error());
      if (seconds) {
        if (limits_.budget > 0 && *seconds >= limits_.budget) end_with(TuneEnd::kBudget);
        const std::lock_guard guard(mutex_);
        events_.on_tick(*seconds);
      }
      look_at_disk();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  workers.clear();
  if (error_) return *error_;
  return end_.value_or(TuneEnd::kStopped);
}

}  // namespace xray
