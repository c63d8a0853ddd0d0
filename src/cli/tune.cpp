#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/tune_view.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "tune/child.h"
#include "tune/hparams_log.h"
#include "tune/importance.h"
#include "tune/session.h"
#include "tune/study_page.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxSpace = 1U << 20U;
constexpr const char* kDatabase = "study.sqlite";

/// How a study is found: its folder, and where its database is.
struct StudyChoice {
  std::string out;
  std::string store;
  std::string name;
  std::string trainer;
};

/// All that the command line of `xray tune` says.
struct TuneOptions {
  StudyChoice study;
  std::string space;
  std::string data;
  std::vector<std::string> objectives = {"auc"};
  StudySettings settings;
  TuneLimits limits;
  std::string budget;
  std::string disk;
  std::string pruner = "auto";
  std::vector<std::string> warm_start;
  double trial_limit = 0;
  int checkpoint_every = 60;
};

/// "90s", "45m", "2h", "1d" or plain seconds.
Result<double> duration_from(const std::string& text) {
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = text.substr(std::min(used, text.size()));
  const double factor = unit.empty() || unit == "s" ? 1
                        : unit == "m"               ? 60
                        : unit == "h"               ? 3600
                        : unit == "d"               ? 86400
                                                    : 0;
  if (used == 0 || factor == 0 || !std::isfinite(value) || value <= 0)
    return Error{ErrorCode::kInvalidArgument, "'" + text + "' is no time (as 90s, 45m, 2h)"};
  return value * factor;
}

/// The trainer beside this program, or as it was told.
Result<fs::path> find_trainer(const std::string& given) {
  if (!given.empty()) return fs::path(given);
  const auto self = own_executable();
  if (!self) return self.error();
  const fs::path beside = self->parent_path() / "xray-train";
  if (fs::exists(beside)) return beside;
  return Error{ErrorCode::kNotFound,
               "there is no xray-train beside " + self->string() + "; name one with --trainer"};
}

std::string name_of(const StudyChoice& choice) {
  if (!choice.name.empty()) return choice.name;
  const fs::path folder = fs::weakly_canonical(choice.out);
  return folder.filename().string();
}

Result<std::unique_ptr<StudyStore>> open_store(const StudyChoice& choice, bool must_exist) {
  std::error_code failed;
  if (!must_exist) fs::create_directories(choice.out, failed);
  const fs::path file = fs::path(choice.out) / kDatabase;
  if (choice.store.empty() && must_exist && !fs::exists(file))
    return Error{ErrorCode::kNotFound, choice.out + ": no study here (no " + kDatabase + ")"};
  auto store =
      StudyStore::open(choice.store.empty() ? "sqlite:" + file.string() : choice.store, name_of(choice));
  if (!store) return with_context(store.error(), choice.out);
  return store;
}

/// A study that exists, read whole.
struct OpenStudy {
  std::unique_ptr<StudyStore> store;
  StudySettings settings;
  Space space;
  std::string data;
  std::vector<Trial> trials;
};

Result<OpenStudy> open_study(const StudyChoice& choice) {
  auto store = open_store(choice, /*must_exist=*/true);
  if (!store) return store.error();
  const auto json = (*store)->settings();
  if (!json) return with_context(json.error(), choice.out);
  auto settings = settings_from_json(*json);
  if (!settings) return with_context(settings.error(), choice.out);
  auto space = Space::parse(settings->space);
  if (!space) return with_context(space.error(), choice.out);
  auto trials = (*store)->trials();
  if (!trials) return with_context(trials.error(), choice.out);
  return OpenStudy{std::move(*store), std::move(*settings), std::move(*space),
                   json->value("data", std::string()), std::move(*trials)};
}

int exit_of(const Error& error) {
  const bool usage = error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kNotFound;
  return fail(error.message, usage ? kExitUsage : kExitSomeFailed);
}

Result<const Trial*> trial_numbered(const OpenStudy& study, std::int64_t number) {
  if (number > 0) {
    const auto found = std::ranges::find(study.trials, number, &Trial::number);
    if (found == study.trials.end())
      return Error{ErrorCode::kNotFound, "the study has no trial " + std::to_string(number)};
    return &*found;
  }
  const auto best = ranked(study.trials, study.settings.objectives());
  if (best.empty()) return Error{ErrorCode::kNotFound, "no trial of the study is done yet"};
  return best.front();
}

std::string page_path(const StudyChoice& choice) {
  return (fs::path(choice.out) / "report.html").string();
}

Result<Done> write_report(const StudyChoice& choice, StudyStore& store, const StudySettings& settings,
                          const Space& space, const std::string& out) {
  const auto trials = store.trials();
  if (!trials) return trials.error();
  const auto curves = store.curves();
  if (!curves) return curves.error();
  return write_study_page(out, name_of(choice), settings, space, *trials, *curves);
}

const char* reason(TuneEnd end) {
  switch (end) {
    case TuneEnd::kExhausted:
      return "the tuner has nothing more to try";
    case TuneEnd::kTrials:
      return "all trials are done";
    case TuneEnd::kBudget:
      return "the time is used up";
    case TuneEnd::kDisk:
      return "the disk limit is reached";
    case TuneEnd::kFailures:
      return "too many trials failed in a row";
    case TuneEnd::kStopped:
      return "stopped; the same command goes on";
  }
  return "";
}

/// Settings from the options, and what the options leave open.
Result<StudySettings> settings_of(const TuneOptions& options) {
  StudySettings settings = options.settings;
  const auto text = read_text(options.space, kMaxSpace);
  if (!text) return with_context(text.error(), options.space);
  settings.space = *text;
  for (const std::string& wanted : options.objectives) {
    auto objective = objective_from(wanted);
    if (!objective) return with_context(objective.error(), "--objective");
    settings.tuner.objectives.push_back(std::move(*objective));
  }
  settings.tuner.max_epochs = settings.epochs;
  const bool hyperband = settings.tuner.kind == "hyperband";
  // What is hopeless in one objective may be the best in another.
  const bool several = settings.objectives().size() > 1;
  settings.pruner.kind =
      options.pruner == "auto" ? (hyperband || several ? "none" : "median") : options.pruner;
  if (auto known = check(settings.pruner); !known) return with_context(known.error(), "--pruner");
  if (hyperband && settings.pruner.kind != "none")
    return Error{ErrorCode::kInvalidArgument, "hyperband gives trials up by itself: no --pruner beside it"};
  if (settings.use_folds > settings.folds)
    return Error{ErrorCode::kInvalidArgument, "--use-folds is more than --folds"};
  return settings;
}

/// Trials of earlier studies that this one can learn from.
Result<Done> warm_start(const TuneOptions& options, StudyStore& store, const StudySettings& settings,
                        const Space& space) {
  for (const std::string& folder : options.warm_start) {
    auto earlier = open_study({.out = folder});
    if (!earlier) return with_context(earlier.error(), "--warm-start");
    std::vector<Trial> taken;
    std::size_t done = 0;
    for (Trial& trial : earlier->trials) {
      if (trial.state != TrialState::kDone) continue;
      ++done;
      if (!space.accepts(trial.configuration) || !trial.costs(settings.objectives())) continue;
      trial.from = name_of({.out = folder}) + " " + std::to_string(trial.number);
      taken.push_back(std::move(trial));
    }
    const std::size_t fit = taken.size();
    const auto added = store.import(std::move(taken));
    if (!added) return added.error();
    std::cerr << fmt::format(
        "{}: {} of {} finished trials fit this space and its objectives; {} of them new\n", folder, fit, done,
        *added);
  }
  return Done{};
}

void print_commands(const OpenStudy& study, const Trial& trial) {
  std::cout << "trial " << trial.number << ":\n";
  for (const auto& [name, value] : trial.configuration.items())
    std::cout << "  " << name << " = " << value_text(value) << '\n';
  auto full = trainer_arguments("crossval", study.settings, study.space, trial.configuration, study.data);
  full.insert(full.end(), {"--out", "runs/crossval"});
  auto fit = trainer_arguments("fit", study.settings, study.space, trial.configuration, study.data);
  fit.insert(fit.end(), {"--out", "runs/fit"});
  std::cout << "all folds:\n  " << shell_line("xray-train", full) << "\na model package:\n  "
            << shell_line("xray-train", fit) << '\n';
}

int tune(TuneOptions options) {
  if (options.space.empty() || options.data.empty() || options.study.out.empty())
    return fail("tune needs --space, --data and --out (see 'xray tune --help')", kExitUsage);
  const std::stop_token stop = stop_on_interrupt();
  if (!options.budget.empty()) {
    const auto budget = duration_from(options.budget);
    if (!budget) return fail("--budget: " + budget.error().message, kExitUsage);
    options.limits.budget = *budget;
  }
  auto wanted = settings_of(options);
  if (!wanted) return exit_of(wanted.error());
  // Whoever joins a study need not know on how many threads its trials run.
  const bool any_threads = wanted->threads == 0;
  if (any_threads) wanted->threads = std::max(1, static_cast<int>(thread_count(0)) / options.limits.parallel);
  const auto trainer = find_trainer(options.study.trainer);
  if (!trainer) return exit_of(trainer.error());
  const auto space = Space::parse(wanted->space);
  if (!space) return exit_of(with_context(space.error(), options.space));
  if (const auto tuner = make_tuner(*space, wanted->tuner); !tuner) return exit_of(tuner.error());
  if (!fs::is_directory(options.data)) return fail(options.data + ": no folder of pictures", kExitUsage);

  auto store = open_store(options.study, /*must_exist=*/false);
  if (!store) return exit_of(store.error());
  Json described = to_json(*wanted);
  described["data"] = fs::weakly_canonical(options.data).string();
  const auto there = (*store)->create(described);
  if (!there) return exit_of(there.error());
  const auto settings = settings_from_json(*there);
  if (!settings) return exit_of(settings.error());
  if (any_threads) wanted->threads = settings->threads;
  if (const std::string other = differences(*wanted, *settings); !other.empty())
    return fail(options.study.out + " holds a study with other settings (" + other +
                    "); repeat its options, or choose another folder",
                kExitUsage);
  if (auto warmed = warm_start(options, **store, *settings, *space); !warmed) return exit_of(warmed.error());
  const auto before = (*store)->trials();
  if (!before) return exit_of(before.error());
  try {
    if (before->empty())
      write_hparams_experiment(fs::path(options.study.out) / "tensorboard", *space, settings->objectives());
  } catch (const std::exception& error) {
    return fail(error.what());
  }

  const TrialPlace place{.trainer = *trainer,
                         .study = options.study.out,
                         .data = options.data,
                         .checkpoint_every = options.checkpoint_every,
                         .limit = options.trial_limit};
  TuneView view(*settings, *space, options.limits);
  view.known(*before);
  TuneEvents events = view.events();
  const auto report = [&] {
    return write_report(options.study, **store, *settings, *space, page_path(options.study));
  };
  events.on_end = [&, shown = events.on_end](const Trial& trial) {
    shown(trial);
    static_cast<void>(report());
  };
  TuneSession session(**store, *settings, *space, place, options.limits, std::move(events));
  const auto ended = session.run(stop);
  view.erase();
  if (!ended) return exit_of(ended.error());

  const auto trials = (*store)->trials();
  if (!trials) return exit_of(trials.error());
  std::cerr << reason(*ended) << "; " << state_counts(*trials) << '\n';
  const auto best = ranked(*trials, settings->objectives());
  constexpr std::size_t kShown = 10;
  if (!best.empty()) {
    std::cout << trial_table(*space, settings->objectives(), best, kShown);
    std::cout << "report: " << page_path(options.study) << "\nnext:   xray tune best " << options.study.out
              << "\n        xray tune fit " << options.study.out << " --out RUN\n";
  }
  if (const auto written = report(); !written) return exit_of(written.error());
  if (*ended == TuneEnd::kStopped) return kExitInterrupted;
  return *ended == TuneEnd::kFailures || best.empty() ? kExitSomeFailed : kExitOk;
}

int show(const StudyChoice& choice, std::size_t most, bool json) {
  const auto study = open_study(choice);
  if (!study) return exit_of(study.error());
  if (json) {
    const auto curves = study->store->curves();
    if (!curves) return exit_of(curves.error());
    std::cout << study_json(name_of(choice), study->settings, study->space, study->trials, *curves).dump(2)
              << '\n';
    return kExitOk;
  }
  std::cout << "space:\n" << study->space.summary() << '\n' << state_counts(study->trials) << "\n\n";
  const std::vector<Objective>& objectives = study->settings.objectives();
  std::cout << trial_table(study->space, objectives, ranked(study->trials, objectives), most);
  if (objectives.size() > 1) {
    const auto front = pareto_front(study->trials, objectives);
    std::cout << "\nbeaten by none in every objective:\n"
              << trial_table(study->space, objectives, front, front.size());
  }
  const auto importance = parameter_importance(study->space, study->trials, objectives.front().name);
  if (!importance.empty()) std::cout << "\nwhat " << objectives.front().name << " depends on:\n";
  for (const auto& [name, share] : importance)
    std::cout << fmt::format("  {:>5.1f} %  {}\n", 100 * share, name);
  for (const Trial& trial : study->trials)
    if (trial.state == TrialState::kFailed || trial.state == TrialState::kInvalid)
      std::cout << "\ntrial " << trial.number << ' ' << name(trial.state) << ": " << trial.message << '\n';
  return kExitOk;
}

int best(const StudyChoice& choice, std::int64_t number, std::size_t most) {
  const auto study = open_study(choice);
  if (!study) return exit_of(study.error());
  if (number > 0 || most == 1) {
    const auto trial = trial_numbered(*study, number);
    if (!trial) return exit_of(trial.error());
    print_commands(*study, **trial);
    return kExitOk;
  }
  const auto all = ranked(study->trials, study->settings.objectives());
  if (all.empty()) return fail("no trial of the study is done yet");
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) print_commands(*study, *all[i]);
  return kExitOk;
}

int replay(const StudyChoice& choice, std::int64_t number, const std::string& data) {
  const std::stop_token stop = stop_on_interrupt();
  const auto study = open_study(choice);
  if (!study) return exit_of(study.error());
  const auto recorded = trial_numbered(*study, number);
  if (!recorded) return exit_of(recorded.error());
  if ((*recorded)->state != TrialState::kDone)
    return fail("trial " + std::to_string((*recorded)->number) + " is " +
                    std::string(name((*recorded)->state)) +
                    ": only a trial that is done has figures to compare",
                kExitUsage);
  const auto trainer = find_trainer(choice.trainer);
  if (!trainer) return exit_of(trainer.error());
  // A folder of its own, gone afterwards: nothing of the first run can help.
  std::string folder = (fs::temp_directory_path() / "xray-replay-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail(folder + ": " + std::strerror(errno));
  const TrialPlace place{.trainer = *trainer, .study = folder, .data = data.empty() ? study->data : data};
  Trial again{.number = (*recorded)->number, .configuration = (*recorded)->configuration};
  const TrialListener nobody{.on_epoch = [](const CurvePoint&) {},
                             .on_step = [](const Trial&, int) { return false; },
                             .on_beat = [](const Trial&) { return true; }};
  run_trial(again, study->settings, study->space, place, nobody, stop);
  const std::string why = again.message;
  fs::remove_all(folder);
  if (stop.stop_requested()) return kExitInterrupted;
  if (again.state != TrialState::kDone)
    return fail("the trial ended as " + std::string(name(again.state)) + ": " + why);
  bool same = true;
  for (const auto& [figure, value] : (*recorded)->figures) {
    if (figure == "seconds") continue;
    const auto now = again.figures.find(figure);
    const bool equal = now != again.figures.end() &&
                       (now->second == value || (std::isnan(value) && std::isnan(now->second)));
    same = same && equal;
    std::cout << fmt::format("{:<24} {:<20} {}\n", figure, value,
                             equal                        ? "same"
                             : now == again.figures.end() ? "missing"
                                                          : fmt::format("now {}", now->second));
  }
  std::cout << (same ? "the same to the last bit\n" : "not the same\n");
  return same ? kExitOk : kExitSomeFailed;
}

int fit(const StudyChoice& choice, std::int64_t number, const std::string& data, const std::string& out,
        const std::vector<std::string>& more) {
  const auto study = open_study(choice);
  if (!study) return exit_of(study.error());
  const auto trial = trial_numbered(*study, number);
  if (!trial) return exit_of(trial.error());
  const auto trainer = find_trainer(choice.trainer);
  if (!trainer) return exit_of(trainer.error());
  std::vector<std::string> arguments = trainer_arguments(
      "fit", study->settings, study->space, (*trial)->configuration, data.empty() ? study->data : data);
  arguments.insert(arguments.end(), {"--out", out});
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::cerr << shell_line(trainer->string(), arguments) << std::endl;
  std::vector<char*> argv = {const_cast<char*>(trainer->c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(trainer->c_str(), argv.data());
  return fail(trainer->string() + ": " + std::strerror(errno));
}

void add_study_options(CLI::App& command, StudyChoice& study, bool positional) {
  if (positional)
    command.add_option("STUDY", study.out, "Folder of the study")->required();
  else
    command.add_option("--out", study.out, "Folder of the study; one that was stopped goes on")
        ->type_name("STUDY");
  command
      .add_option("--store", study.store,
                  "Database that its workers share (default: sqlite:STUDY/study.sqlite; for many machines\n"
                  "postgresql://...)")
      ->type_name("URL");
  command.add_option("--name", study.name, "Of the study in that database (default: the folder's)");
  command.add_option("--trainer", study.trainer, "Program that trains (default: xray-train beside xray)");
}

void add_search_options(CLI::App& command, TuneOptions& options) {
  StudySettings& settings = options.settings;
  command.add_option("--space", options.space, "TOML file of what is searched through (docs/tuning.md)")
      ->type_name("FILE");
  command.add_option("--data", options.data, "Folder with the pictures")->type_name("DIR");
  add_study_options(command, options.study, /*positional=*/false);
  command.add_option("--tuner", settings.tuner.kind, "random, grid, bayesian, evolution or hyperband")
      ->check(CLI::IsMember({"random", "grid", "bayesian", "evolution", "hyperband"}))
      ->capture_default_str();
  command
      .add_option(
          "--objective", options.objectives,
          "What is to be best: auc, accuracy, brier, ece, parameters, seconds, ..., with :min or :max where\n"
          "the usual direction is not meant; several give a Pareto front (default: auc)")
      ->allow_extra_args(false)
      ->type_name("NAME");
  command.add_option("--budget", options.budget, "Time of the study in all: 90s, 45m, 2h")->type_name("TIME");
  command.add_option("--trials", options.limits.trials, "Trials of the study in all")
      ->check(CLI::Range(1, 1'000'000));
  command.add_option("--disk", options.limits.disk, "Most that its folder may take up, as 5GB")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->type_name("SIZE");
  command.add_option("--trial-limit", options.trial_limit, "Seconds after which a trial counts as failed")
      ->check(CLI::PositiveNumber);
  command.add_option("--keep", options.limits.keep, "Best trials whose checkpoints are kept")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  command.add_option("--folds", settings.folds, "Films are divided by patient into so many folds")
      ->check(CLI::Range(2, 100))
      ->capture_default_str();
  command
      .add_option("--use-folds", settings.use_folds,
                  "Score a trial on the first so many of them (default: all)")
      ->check(CLI::Range(1, 100));
  command
      .add_option("--executions", settings.executions,
                  "Runs of each configuration, with other seeds; their mean counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command.add_option("--epochs", settings.epochs, "Of every trial, where the space does not say")
      ->check(CLI::Range(1, 10'000));
  command
      .add_option("--pruner", options.pruner,
                  "How hopeless trials are given up, by epochs of the first fold and after each fold: none, "
                  "median, asha\n"
                  "(default: median; none with several objectives)")
      ->check(CLI::IsMember({"none", "median", "asha"}));
  command.add_option("--factor", settings.tuner.factor, "Of hyperband and asha: one in so many goes on")
      ->check(CLI::Range(2, 10))
      ->capture_default_str();
  command
      .add_option("--initial", settings.tuner.initial, "Of bayesian and evolution: random trials at first")
      ->check(CLI::Range(1, 10'000));
  command.add_option("--grid-points", settings.tuner.grid_points, "Of grid: values that stand for a range")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  command
      .add_option("--warm-start", options.warm_start,
                  "Learn from an earlier study's trials, too; may be repeated")
      ->allow_extra_args(false)
      ->type_name("STUDY");
  command.add_option("--max-parameters", settings.max_parameters, "Larger networks are not trained")
      ->check(CLI::PositiveNumber);
  command.add_option("--retries", settings.retries, "Of a trial that failed")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command
      .add_option("--max-failures", options.limits.max_failures,
                  "Stop after so many failed trials in a row; 0: never")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command.add_option("--parallel", options.limits.parallel, "Trials at one time in this process")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command.add_option("--threads", settings.threads, "Of a trial (default: cores / --parallel)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--checkpoint-every", options.checkpoint_every, "Seconds of training that a crash may cost")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command.add_option("--seed", settings.tuner.seed, "Of the search and the trials")->capture_default_str();
}

}  // namespace

void add_tune(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<TuneOptions>();
  CLI::App* command = app.add_subcommand("tune", "Search for hyperparameters of the trainer");
  command->footer(
      "Every trial runs in processes of its own and is scored by cross-validation, divided by patient. The\n"
      "same command goes on where it was stopped or killed; started a second time beside the first, or on "
      "another\n"
      "machine with the same --store, it helps.\n"
      "\n"
      "Examples:\n"
      "  xray tune --space space.toml --data chest_xray/train --out studies/first --budget 2h\n"
      "  xray tune --space space.toml --data chest_xray/train --out studies/wide --tuner hyperband --epochs "
      "27\n"
      "  xray tune show studies/first          the best trials, and what matters\n"
      "  xray tune fit studies/first --out runs/winner    trains the winner, writes its model package\n"
      "\n"
      "Exit code: 0 ended by itself, 1 trials failed or none was done, 2 wrong usage, 130 stopped by "
      "Ctrl-C.");
  add_search_options(*command, *options);
  command->callback([command, options, &exit_code] {
    if (command->get_subcommands().empty()) exit_code = tune(*options);
  });

  struct SubOptions {
    StudyChoice study;
    std::int64_t trial = 0;
    std::size_t most = 10;
    bool json = false;
    std::string data;
    std::string out;
    std::string file;
    std::vector<std::string> more;
  };
  const auto add = [&](const char* name, const char* about, const auto& fill, const auto& run) {
    auto sub = std::make_shared<SubOptions>();
    CLI::App* added = command->add_subcommand(name, about);
    fill(*added, *sub);
    added->callback([sub, run, &exit_code] { exit_code = run(*sub); });
  };
  const auto add_trial = [](CLI::App& sub, SubOptions& o) {
    sub.add_option("--trial", o.trial, "Number of the trial (default: the best)")->check(CLI::PositiveNumber);
  };
  const auto add_data = [](CLI::App& sub, SubOptions& o) {
    sub.add_option("--data", o.data, "Folder with the pictures (default: the study's)")->type_name("DIR");
  };
  add(
      "show", "The best trials of a study, its Pareto front, and what matters",
      [](CLI::App& sub, SubOptions& o) {
        add_study_options(sub, o.study, true);
        sub.add_option("-n,--most", o.most, "Trials that are listed")->capture_default_str();
        sub.add_flag("--json", o.json, "Everything, as JSON");
      },
      [](const SubOptions& o) { return show(o.study, o.most, o.json); });
  add(
      "best", "The best configurations, and the commands that train them",
      [&](CLI::App& sub, SubOptions& o) {
        o.most = 1;
        add_study_options(sub, o.study, true);
        add_trial(sub, o);
        sub.add_option("-n,--most", o.most, "How many")->check(CLI::Range(1, 1000))->capture_default_str();
      },
      [](const SubOptions& o) { return best(o.study, o.trial, o.most); });
  add(
      "fit", "Train a trial's configuration in full and write a model package",
      [&](CLI::App& sub, SubOptions& o) {
        add_study_options(sub, o.study, true);
        add_trial(sub, o);
        add_data(sub, o);
        sub.add_option("--out", o.out, "Folder of the run")->required()->type_name("RUN");
        sub.add_option("OPTIONS", o.more, "More options of xray-train fit, after --");
      },
      [](const SubOptions& o) { return fit(o.study, o.trial, o.data, o.out, o.more); });
  add(
      "replay", "Run a trial again from nothing and compare its figures, which should be the same",
      [&](CLI::App& sub, SubOptions& o) {
        add_study_options(sub, o.study, true);
        add_trial(sub, o);
        add_data(sub, o);
      },
      [](const SubOptions& o) { return replay(o.study, o.trial, o.data); });
  add(
      "report", "Write the study as a page",
      [](CLI::App& sub, SubOptions& o) {
        add_study_options(sub, o.study, true);
        sub.add_option("--out", o.out, "HTML file (default: STUDY/report.html)")->type_name("FILE");
      },
      [](const SubOptions& o) {
        const auto study = open_study(o.study);
        if (!study) return exit_of(study.error());
        const auto written = write_report(o.study, *study->store, study->settings, study->space,
                                          o.out.empty() ? page_path(o.study) : o.out);
        return written ? kExitOk : exit_of(written.error());
      });
  add(
      "space", "Check a space and print what it holds",
      [](CLI::App& sub, SubOptions& o) { sub.add_option("FILE", o.file, "TOML file")->required(); },
      [](const SubOptions& o) {
        const auto text = read_text(o.file, kMaxSpace);
        if (!text) return exit_of(with_context(text.error(), o.file));
        const auto space = Space::parse(*text);
        if (!space) return exit_of(with_context(space.error(), o.file));
        std::cout << space->summary();
        return kExitOk;
      });
}

}  // namespace xray
