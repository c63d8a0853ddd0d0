#include "cli/localisation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <numeric>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/robustness.h"
#include "common/file.h"
#include "common/grid.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/random.h"
#include "common/text.h"
#include "diagnose/diagnoser.h"
#include "metrics/metrics.h"
#include "metrics/metrics_json.h"
#include "perturb/draw.h"
#include "perturb/opacity.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;

// Radii as shares of the film's side, and densities, of the drawn opacities.
constexpr std::array kRadii{0.06, 0.1, 0.15, 0.22, 0.3};
constexpr std::array kDensities{0.3, 0.6, 0.9};
/// The one that heat maps have to point at: a consolidation of an eighth of the film's side across.
constexpr double kPointRadius = 0.12;
constexpr double kPointDensity = 0.8;
/// Share of the lungs blurred away, or let through, step by step.
constexpr std::array kSteps{0.0, 0.1, 0.25, 0.5, 0.75, 1.0};

/// A film on which the lungs are known, pixel by pixel.
struct Chest {
  Image film;
  std::vector<bool> lung;
};

Result<Chest> open_chest(const Diagnoser& diagnoser, const std::filesystem::path& file) {
  const Result<Bytes> bytes = read_file(file, diagnoser.limits().max_bytes);
  if (!bytes) return bytes.error();
  const Result<Image> image = diagnoser.decode(*bytes);
  if (!image) return image.error();
  Result<Image> film = standard_film(*image);
  if (!film) return film.error();
  const Result<LungField> field = diagnoser.find_lungs(*film);
  if (!field) return field.error();
  std::vector<bool> lung = lung_pixels(*field, film->width(), film->height());
  return Chest{std::move(*film), std::move(lung)};
}

/// Strength of the heat at a pixel of the film.
float heat_at(const HeatMap& heat, const Image& film, int x, int y) {
  return heat.values[cell_at(x * heat.width / film.width(), y * heat.height / film.height(), heat.width)];
}

/// What was found of opacities drawn into one normal film.
struct Drawn {
  bool pointed = false;  ///< the hottest place lies on the opacity
  bool called = false;   ///< the verdict is no longer normal
  bool judged = false;   ///< neither film was rejected
  std::size_t steps = 0;
  std::size_t rising = 0;  ///< of them, scores that did not fall as the opacity grew or thickened
  std::vector<std::pair<double, double>> extents;  ///< drawn and found, per cent of the lungs
};

Result<Drawn> draw_and_ask(const Diagnoser& diagnoser, const Chest& chest, std::uint64_t seed) {
  const Image& film = chest.film;
  Random random(seed);
  std::vector<std::size_t> lung;
  for (std::size_t i = 0; i < chest.lung.size(); ++i)
    if (chest.lung[i]) lung.push_back(i);
  Drawn drawn;
  if (lung.empty()) return drawn;
  const std::size_t centre = lung[random.below(lung.size())];
  const auto width = static_cast<std::size_t>(film.width());
  const std::size_t column = centre % width;
  const std::size_t row = centre / width;
  const auto lay = [&](double radius, double density) {
    return opacity_of({.x = static_cast<double>(column) + 0.5,
                       .y = static_cast<double>(row) + 0.5,
                       .radius = radius * film.width(),
                       .density = density},
                      chest.lung, film.width(), film.height());
  };

  const std::vector<float> target = lay(kPointRadius, kPointDensity);
  const auto finding = diagnoser.diagnose(with_opacity(film, chest.lung, target));
  if (!finding) return finding.error();
  if (finding->is_rejected() || finding->heat.empty()) return drawn;
  drawn.judged = true;
  drawn.called = finding->verdict != Verdict::kNormal;
  std::size_t hottest = lung.front();
  float highest = -1;
  for (const std::size_t pixel : lung) {
    const float heat =
        heat_at(finding->heat, film, static_cast<int>(pixel % width), static_cast<int>(pixel / width));
    if (heat <= highest) continue;
    highest = heat;
    hottest = pixel;
  }
  drawn.pointed = highest > 0 && target[hottest] > 0;
  if (diagnoser.severity_model() == nullptr) return drawn;

  // Each size thicker and thicker, each thickness larger and larger.
  std::array<std::array<double, kDensities.size()>, kRadii.size()> score{};
  for (std::size_t r = 0; r < kRadii.size(); ++r) {
    for (std::size_t d = 0; d < kDensities.size(); ++d) {
      const std::vector<float> opacity = lay(kRadii[r], kDensities[d]);
      const auto said = diagnoser.diagnose(with_opacity(film, chest.lung, opacity));
      if (!said) return said.error();
      const std::optional<Severity>& severity = said->severity;
      if (!severity) return drawn;
      score[r][d] = severity->score;
      const auto opaque = static_cast<double>(std::ranges::count_if(
          opacity, [&](float o) { return static_cast<double>(o) >= diagnoser.severity_model()->opaque; }));
      drawn.extents.emplace_back(100 * opaque / static_cast<double>(lung.size()), severity->extent);
    }
  }
  const auto count = [&](double before, double after) {
    ++drawn.steps;
    // A tenth of a point is not shown either.
    drawn.rising += after >= before - 0.1 ? 1 : 0;
  };
  for (std::size_t r = 0; r < kRadii.size(); ++r)
    for (std::size_t d = 1; d < kDensities.size(); ++d) count(score[r][d - 1], score[r][d]);
  for (std::size_t r = 1; r < kRadii.size(); ++r)
    for (std::size_t d = 0; d < kDensities.size(); ++d) count(score[r - 1][d], score[r][d]);
  return drawn;
}

/// Area under the percentage as the lungs are blurred away, and as they come in again.
struct Curves {
  double deletion = 0;
  double insertion = 0;
};

/// One film of pneumonia.
struct Removed {
  bool judged = false;
  double heat_inside = 0;  ///< share of the heat that lies in the lungs
  Curves by_heat;
  Curves by_chance;
};

/// Pixels of the lungs in an order: the first part blurred away (deletion) or let through (insertion).
Result<std::optional<Curves>> follow(const Diagnoser& diagnoser, const Chest& chest, const Image& blurred,
                                     const std::vector<std::size_t>& order) {
  const auto area = [&](bool deleting) -> Result<std::optional<double>> {
    double sum = 0;
    double last = 0;
    for (std::size_t step = 0; step < kSteps.size(); ++step) {
      const auto from = deleting ? chest.film.pixels8() : blurred.pixels8();
      const auto into = deleting ? blurred.pixels8() : chest.film.pixels8();
      Image::Pixels8 pixels(chest.film.pixels8().begin(), chest.film.pixels8().end());
      for (const std::size_t pixel : order) pixels[pixel] = from[pixel];
      const auto changed = static_cast<std::size_t>(kSteps[step] * static_cast<double>(order.size()));
      for (std::size_t i = 0; i < changed; ++i) pixels[order[i]] = into[order[i]];
      const auto finding =
          diagnoser.diagnose(Image(chest.film.width(), chest.film.height(), std::move(pixels)));
      if (!finding) return finding.error();
      if (finding->is_rejected()) return std::optional<double>();
      const double now = finding->pneumonia / 100;
      if (step > 0) sum += (kSteps[step] - kSteps[step - 1]) * (last + now) / 2;
      last = now;
    }
    return std::optional(sum);
  };
  const auto deletion = area(true);
  if (!deletion) return deletion.error();
  const auto insertion = area(false);
  if (!insertion) return insertion.error();
  const std::optional<double> deleted = *deletion;
  const std::optional<double> inserted = *insertion;
  if (!deleted || !inserted) return std::optional<Curves>();
  return std::optional(Curves{*deleted, *inserted});
}

Result<Removed> remove_and_ask(const Diagnoser& diagnoser, const Chest& chest, std::uint64_t seed) {
  Removed removed;
  const Image& film = chest.film;
  const auto finding = diagnoser.diagnose(film);
  if (!finding) return finding.error();
  if (finding->is_rejected() || finding->heat.empty()) return removed;
  // A chance map as smooth as heat maps are.
  Random random(seed);
  Plane chance{8, 8, std::vector<float>(64)};
  for (float& value : chance.values) value = static_cast<float>(255 * random.uniform());
  chance = resize(to_image(chance), film.width(), film.height());
  Plane soft{film.width(), film.height(), {film.pixels8().begin(), film.pixels8().end()}};
  blur(soft, film.width() / 16.0);
  const Image blurred = to_image(soft);

  std::vector<std::size_t> lung;
  std::vector<float> heat(chest.lung.size());
  double inside = 0;
  double all = 0;
  for (std::size_t i = 0; i < chest.lung.size(); ++i) {
    heat[i] = heat_at(finding->heat, film, static_cast<int>(i % static_cast<std::size_t>(film.width())),
                      static_cast<int>(i / static_cast<std::size_t>(film.width())));
    all += static_cast<double>(heat[i]);
    if (!chest.lung[i]) continue;
    inside += static_cast<double>(heat[i]);
    lung.push_back(i);
  }
  const auto ordered = [&](const std::vector<float>& by) {
    std::vector<std::size_t> order = lung;
    std::ranges::sort(order,
                      [&](std::size_t a, std::size_t b) { return by[a] != by[b] ? by[a] > by[b] : a < b; });
    return order;
  };
  const auto by_heat = follow(diagnoser, chest, blurred, ordered(heat));
  if (!by_heat) return by_heat.error();
  const auto by_chance = follow(diagnoser, chest, blurred, ordered(chance.values));
  if (!by_chance) return by_chance.error();
  const std::optional<Curves> heat_curves = *by_heat;
  const std::optional<Curves> chance_curves = *by_chance;
  if (!heat_curves || !chance_curves || all <= 0) return removed;
  return Removed{
      .judged = true, .heat_inside = inside / all, .by_heat = *heat_curves, .by_chance = *chance_curves};
}

/// What became of one picture.
struct Answer {
  Drawn drawn;      ///< of a normal film
  Removed removed;  ///< of one with pneumonia
};

Json mean_curves(const std::vector<Removed>& films, Curves Removed::* which) {
  double deletion = 0;
  double insertion = 0;
  for (const Removed& film : films) {
    deletion += (film.*which).deletion / static_cast<double>(films.size());
    insertion += (film.*which).insertion / static_cast<double>(films.size());
  }
  return {{"deletion", deletion}, {"insertion", insertion}};
}

Json report_on(const std::string& model, const std::vector<Drawn>& drawn,
               const std::vector<Removed>& removed) {
  const auto share = [&](const auto& which) {
    return to_json(proportion(std::ranges::count_if(drawn, which), static_cast<std::int64_t>(drawn.size())));
  };
  Json json = {{"model", model},
               {"normal_films", drawn.size()},
               {"pointing", share([](const Drawn& d) { return d.pointed; })},
               {"called", share([](const Drawn& d) { return d.called; })}};
  std::size_t steps = 0;
  std::size_t rising = 0;
  double error = 0;
  std::size_t extents = 0;
  for (const Drawn& d : drawn) {
    steps += d.steps;
    rising += d.rising;
    for (const auto& [laid, found] : d.extents) error += std::abs(found - laid);
    extents += d.extents.size();
  }
  if (steps > 0) {
    json["score_rises"] =
        to_json(proportion(static_cast<std::int64_t>(rising), static_cast<std::int64_t>(steps)));
    json["extent_error"] = error / static_cast<double>(extents);
  }
  json["pneumonia_films"] = removed.size();
  if (removed.empty()) return json;
  double inside = 0;
  for (const Removed& film : removed) inside += film.heat_inside / static_cast<double>(removed.size());
  json["heat_in_lungs"] = inside;
  json["by_heat"] = mean_curves(removed, &Removed::by_heat);
  json["by_chance"] = mean_curves(removed, &Removed::by_chance);
  return json;
}

std::string to_table(const Json& report) {
  const auto per_cent = [&](const char* field) {
    const Json& estimate = report[field];
    return fmt::format("{:.1f} % ({:.1f} to {:.1f})", 100 * estimate["value"].get<double>(),
                       100 * estimate["low"].get<double>(), 100 * estimate["high"].get<double>());
  };
  std::string text = fmt::format("model {}\n", report["model"].get<std::string>());
  if (report["normal_films"] > 0) {
    text +=
        fmt::format("\nopacities drawn into {} normal films\n", report["normal_films"].get<std::size_t>());
    text += fmt::format("  hottest place lies on the opacity   {}\n", per_cent("pointing"));
    text += fmt::format("  film no longer called normal        {}\n", per_cent("called"));
    if (report.contains("score_rises")) {
      text += fmt::format("  score rises with size and density   {}\n", per_cent("score_rises"));
      text += fmt::format("  extent off by                       {:.1f} % of the lungs\n",
                          report["extent_error"].get<double>());
    }
  }
  if (report["pneumonia_films"] > 0) {
    text += fmt::format("\n{} films of pneumonia\n", report["pneumonia_films"].get<std::size_t>());
    text += fmt::format("  share of the heat in the lungs      {:.1f} %\n",
                        100 * report["heat_in_lungs"].get<double>());
    text += fmt::format("  {:<36}{:>9}{:>9}\n", "area under the percentage", "by heat", "by chance");
    for (const char* curve : {"deletion", "insertion"})
      text += fmt::format("  {:<36}{:>9.3f}{:>9.3f}\n",
                          std::string(curve) == "deletion" ? "  as lungs are blurred away (low: better)"
                                                           : "  as they come in again (high: better)",
                          report["by_heat"][curve].get<double>(), report["by_chance"][curve].get<double>());
  }
  return text;
}

}  // namespace

int evaluate_localisation(const std::vector<Sample>& samples, const LocalisationOptions& options,
                          const std::stop_token& stop) {
  const std::vector<Sample> chosen = options.limit > 0 ? spread(samples, options.limit) : samples;
  const auto diagnoser = open_diagnoser(options.model, {}, {.threads = options.threads});
  if (!diagnoser) return fail(diagnoser.error().message);
  const auto ask = [&](std::size_t i) -> Result<Answer> {
    const auto chest = open_chest(**diagnoser, chosen[i].path);
    if (!chest) return chest.error();
    Answer answer;
    if (chosen[i].label == Label::kNormal) {
      auto drawn = draw_and_ask(**diagnoser, *chest, i);
      if (!drawn) return drawn.error();
      answer.drawn = std::move(*drawn);
    } else {
      auto removed = remove_and_ask(**diagnoser, *chest, i);
      if (!removed) return removed.error();
      answer.removed = *removed;
    }
    return answer;
  };
  std::vector<Drawn> drawn;
  std::vector<Removed> removed;
  std::size_t failed = 0;
  Progress progress("evaluating", chosen.size());
  const bool complete = parallel_ordered(
      chosen.size(), options.threads, 4 * thread_count(options.threads), ask,
      [&](std::size_t i, Result<Answer> answer) {
        progress.advance();
        if (!answer) {
          progress.clear();
          ++failed;
          std::cerr << "xray: not read: "
                    << printable(chosen[i].path.string() + ": " + answer.error().message) << '\n';
          return;
        }
        if (answer->drawn.judged) drawn.push_back(std::move(answer->drawn));
        if (answer->removed.judged) removed.push_back(answer->removed);
      },
      stop);
  progress.clear();
  if (!complete) return fail("stopped", kExitInterrupted);
  const Json report = report_on((*diagnoser)->card().id(), drawn, removed);
  std::cout << (options.json ? report.dump(2) + "\n" : to_table(report)) << std::flush;
  if (!std::cout) return fail("standard output cannot be written");
  return failed == 0 ? kExitOk : kExitSomeFailed;
}

}  // namespace xray
