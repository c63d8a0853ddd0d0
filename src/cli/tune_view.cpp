#include "cli/tune_view.h"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>

namespace xray {
namespace {

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

/// A curve as eight heights of blocks, the last `most` of its points.
std::string sparkline(const std::vector<double>& values, std::size_t most) {
  static constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t from = values.size() > most ? values.size() - most : 0;
  if (values.empty()) return "";
  const auto [low, high] = std::ranges::minmax(values);
  std::string text;
  for (std::size_t i = from; i < values.size(); ++i) {
    const double share = high > low ? (values[i] - low) / (high - low) : 0.5;
    text += kBlocks.at(static_cast<std::size_t>(std::lround(share * 7)));
  }
  return text;
}

std::string figure_text(const std::string& name, double value) {
  if (!std::isfinite(value)) return "-";
  if (name == "parameters") return fmt::format("{:.0f}", value);
  if (name == "seconds") return fmt::format("{:.1f}", value);
  return fmt::format("{:.4f}", value);
}

std::string score_text(const std::vector<Objective>& objectives, const Trial& trial) {
  std::string text;
  for (const Objective& objective : objectives) {
    const auto figure = trial.figures.find(objective.name);
    if (figure == trial.figures.end()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", objective.name,
                        figure_text(objective.name, figure->second));
  }
  return text;
}

/// The first `width` columns of a text of one byte a column.
std::string cut(std::string text, std::size_t width) {
  if (text.size() > width) {
    text.resize(width > 3 ? width - 3 : 0);
    text += "...";
  }
  return text;
}

}  // namespace

std::string configuration_text(const Space& space, const Configuration& configuration, std::size_t width) {
  std::string text;
  for (const Parameter& parameter : space.parameters()) {
    const auto value = configuration.find(parameter.name);
    if (value == configuration.end() || parameter.kind == Parameter::Kind::kFixed) continue;
    const std::string shown =
        value->is_number_float() ? fmt::format("{:.4g}", value->get<double>()) : value_text(*value);
    text += (text.empty() ? "" : ", ") + parameter.name + " " + shown;
  }
  return cut(text, width);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::llround(seconds));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string trial_table(const Space& space, const std::vector<Objective>& objectives,
                        const std::vector<const Trial*>& trials, std::size_t most) {
  std::string text = fmt::format("{:>5}", "trial");
  for (const Objective& objective : objectives) text += fmt::format("  {:>12}", objective.name);
  text += fmt::format("  {:>9}  configuration\n", "time");
  for (std::size_t i = 0; i < std::min(most, trials.size()); ++i) {
    const Trial& trial = *trials[i];
    text += fmt::format("{:>5}", trial.number);
    for (const Objective& objective : objectives) {
      const auto figure = trial.figures.find(objective.name);
      text += fmt::format("  {:>12}",
                          figure == trial.figures.end() ? "-" : figure_text(objective.name, figure->second));
    }
    text += fmt::format("  {:>9}  {}\n", duration_text(trial.seconds),
                        configuration_text(space, trial.configuration));
  }
  return text;
}

std::string state_counts(const std::vector<Trial>& trials) {
  std::map<TrialState, int> counts;
  for (const Trial& trial : trials) ++counts[trial.state];
  std::string text;
  for (const TrialState state :
       {TrialState::kDone, TrialState::kPruned, TrialState::kFailed, TrialState::kInvalid,
        TrialState::kImported, TrialState::kRunning, TrialState::kPaused, TrialState::kWaiting})
    if (counts[state] > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[state], name(state));
  return text.empty() ? "no trials" : text;
}

TuneView::TuneView(const StudySettings& settings, const Space& space, const TuneLimits& limits)
    : settings_(settings), space_(space), limits_(limits), live_(::isatty(STDERR_FILENO) == 1) {}

TuneView::~TuneView() {
  erase();
}

void TuneView::known(const std::vector<Trial>& trials) {
  for (const Trial& trial : trials) trials_[trial.number] = trial;
}

TuneEvents TuneView::events() {
  return {.on_begin =
              [this](const Trial& trial) {
                running_[trial.number] = {.trial = trial};
                trials_[trial.number] = trial;
                draw();
              },
          .on_epoch =
              [this](const CurvePoint& point) {
                const auto found = running_.find(point.trial);
                if (found == running_.end()) return;
                Running& running = found->second;
                if (running.fold != point.fold) running.curve.clear();
                running.fold = point.fold;
                running.epoch = point.epoch;
                const auto value = point.figures.find(epoch_figure(settings_.objectives().front().name));
                if (value != point.figures.end()) running.curve.push_back(value->second);
                draw();
              },
          .on_end = [this](const Trial& trial) { end(trial); },
          .on_tick =
              [this](double seconds) {
                seconds_ = seconds;
                draw();
              }};
}

void TuneView::end(const Trial& trial) {
  running_.erase(trial.number);
  trials_[trial.number] = trial;
  erase();
  std::string line = fmt::format("trial {} {}", trial.number, name(trial.state));
  if (const std::string score = score_text(settings_.objectives(), trial); !score.empty())
    line += ": " + score;
  line +=
      fmt::format(" ({}; {})", duration_text(trial.seconds), configuration_text(space_, trial.configuration));
  if (!trial.message.empty() && trial.state != TrialState::kDone) line += "\n  " + trial.message;
  std::cerr << line << '\n';
  draw();
}

void TuneView::erase() {
  if (lines_ == 0) return;
  std::cerr << "\r\033[" << lines_ << "A\033[J" << std::flush;
  lines_ = 0;
}

void TuneView::draw() {
  if (!live_) return;
  const std::size_t width = terminal_width() - 1;
  std::vector<Trial> all;
  for (const auto& [number, trial] : trials_) all.push_back(trial);
  std::vector<std::string> lines;
  lines.push_back(
      cut(fmt::format("{}{}; {}", duration_text(seconds_),
                      limits_.budget > 0 ? " of " + duration_text(limits_.budget) : "", state_counts(all)),
          width));
  const auto best = ranked(all, settings_.objectives());
  if (!best.empty())
    lines.push_back(cut(fmt::format("best: trial {}, {} ({})", best.front()->number,
                                    score_text(settings_.objectives(), *best.front()),
                                    configuration_text(space_, best.front()->configuration)),
                        width));
  for (const auto& [number, running] : running_) {
    std::string head =
        fmt::format("  {:>4}  {:>9}", number,
                    duration_text(std::chrono::duration<double>(Clock::now() - running.since).count()));
    if (running.epoch > 0) head += fmt::format("  fold {} epoch {}", running.fold, running.epoch);
    if (!running.curve.empty()) head += fmt::format("  {:.4f} ", running.curve.back());
    constexpr std::size_t kCurve = 12;
    const std::size_t used = head.size() + std::min(kCurve, running.curve.size()) + 2;
    lines.push_back(head + sparkline(running.curve, kCurve) + "  " +
                    configuration_text(space_, running.trial.configuration, width > used ? width - used : 0));
  }
  erase();
  for (const std::string& line : lines) std::cerr << line << '\n';
  std::cerr << std::flush;
  lines_ = lines.size();
}

}  // namespace xray
