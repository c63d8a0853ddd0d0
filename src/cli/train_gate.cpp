#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

#include "cli/train_commands.h"
#include "cli/train_common.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/parallel.h"
#include "common/progress.h"
#include "common/random.h"
#include "common/text.h"
#include "dataset/dataset.h"
#include "infer/lung_finder.h"
#include "model/lungs.h"
#include "perturb/draw.h"
#include "train/gate.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// Every so many films also serve turned, inverted, and as ground for made-up pictures.
constexpr std::size_t kSpoiltEvery = 5;

struct GateArguments {
  std::vector<std::string> films;
  std::vector<std::string> others;
  std::string lungs;
  double refuse = 0.004;
  int threads = 0;
};

/// A picture file, and what it is to the gate.
struct Source {
  fs::path path;
  std::size_t folder = 0;  ///< of --films, for its template; not of others
  GateCase said;           ///< without facts
  bool film = false;
};

/// A film and its lung field, or why there is none.
struct Seen {
  Image film;
  LungField field;
};

/// Pictures below `folder`, in the order of their paths.
Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  std::error_code failure;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const std::string ending = lowered(entry->path().extension().string());
    if (entry->is_regular_file() && (ending == ".jpg" || ending == ".jpeg" || ending == ".png"))
      files.push_back(entry->path());
  }
  if (failure) return Error{ErrorCode::kNotFound, folder.string() + ": " + failure.message()};
  if (files.empty()) return Error{ErrorCode::kInvalidArgument, folder.string() + ": no pictures in it"};
  std::ranges::sort(files);
  return files;
}

/// No film at all: grain, clouds, or a slope of gray.
Image made_up(std::uint64_t seed, const char*& kind) {
  Random random(seed);
  Plane plane{kFilmSide, kFilmSide, {}};
  plane.values.resize(static_cast<std::size_t>(kFilmSide) * kFilmSide);
  const std::uint64_t which = random.below(3);
  kind = which == 0 ? "grain" : which == 1 ? "clouds" : "slopes";
  const double right = random.uniform(-1, 1);
  const double down = random.uniform(-1, 1);
  for (std::size_t i = 0; i < plane.values.size(); ++i) {
    const double x = static_cast<double>(i % kFilmSide) / kFilmSide - 0.5;
    const double y = static_cast<double>(i / kFilmSide) / kFilmSide - 0.5;
    plane.values[i] = static_cast<float>(which == 2 ? 128 + 200 * (right * x + down * y) + 4 * random.normal()
                                                    : 255 * random.uniform());
  }
  if (which == 1) {
    const double sigma = random.uniform(4, 40);
    blur(plane, sigma);
    // Smoothing left little contrast; it is brought back.
    const auto [low, high] = std::ranges::minmax_element(plane.values);
    const float from = *low;
    const float range = std::max(*high - *low, 1e-3F);
    for (float& value : plane.values) value = 255 * (value - from) / range;
  }
  return to_image(plane);
}

Result<Seen> look(LungFinder& finder, Image film) {
  auto field = finder.find(film);
  if (!field) return field.error();
  return Seen{std::move(film), std::move(*field)};
}

/// The file's own picture, and those made of it, each with what it is.
struct Looked {
  std::vector<std::pair<GateCase, Seen>> pictures;
};

Result<Looked> look_at(const Source& source, std::size_t number, LungFinder& finder) {
  const Result<Image> image = read_image(source.path);
  if (!image) return image.error();
  const Result<Image> film = standard_film(*image);
  if (!film) return film.error();
  Looked looked;
  const auto add = [&](GateCase said, Image picture) -> Result<Done> {
    auto seen = look(finder, std::move(picture));
    if (!seen) return seen.error();
    looked.pictures.emplace_back(std::move(said), std::move(*seen));
    return Done{};
  };
  if (const auto added = add(source.said, *film); !added) return added.error();
  if (!source.film || number % kSpoiltEvery != 0) return looked;
  const char* kind = "";
  Image other = made_up(number, kind);
  std::pair<GateCase, Image> spoilt[] = {
      {{.family = "turned", .kind = "turned left"}, turned(*film, Orientation::kLeftBottom)},
      {{.family = "turned", .kind = "turned right"}, turned(*film, Orientation::kRightTop)},
      {{.family = "turned", .kind = "upside down"}, turned(*film, Orientation::kBottomRight)},
      {{.family = "turned", .kind = "upside down, mirrored"}, turned(*film, Orientation::kBottomLeft)},
      {{.family = "inverted", .kind = "inverted"}, inverted(*film)},
      {{.family = "made up", .kind = kind}, std::move(other)},
  };
  for (auto& [said, picture] : spoilt)
    if (const auto added = add(said, std::move(picture)); !added) return added.error();
  return looked;
}

Result<std::vector<Source>> find_sources(const GateArguments& arguments) {
  std::vector<Source> sources;
  for (std::size_t folder = 0; folder < arguments.films.size(); ++folder) {
    const auto files = files_below(arguments.films[folder]);
    if (!files) return files.error();
    for (const fs::path& file : *files)
      sources.push_back({file, folder, {.patient = patient_of(file)}, true});
  }
  for (const std::string& family : arguments.others) {
    std::istringstream folders(family);
    for (std::string folder; std::getline(folders, folder, ',');) {
      const auto files = files_below(folder);
      if (!files) return files.error();
      const fs::path name = fs::path(folder).has_filename() ? fs::path(folder).filename()
                                                            : fs::path(folder).parent_path().filename();
      for (const fs::path& file : *files)
        sources.push_back({file, 0, {.family = family, .kind = name.string()}, false});
    }
  }
  return sources;
}

nlohmann::ordered_json quality_json(const GateQuality& quality, std::size_t films) {
  nlohmann::ordered_json json = {
      {"films", films},
      {"films_refused", quality.films_refused},
      {"rule", "each family of other pictures left out in turn; films of patients not fitted on"}};
  for (const auto& [kind, share] : quality.refused)
    json["refused"][kind] = {{"pictures", quality.pictures.at(kind)}, {"share", share}};
  return json;
}

int gate(const GateArguments& arguments) {
  const std::stop_token stop = stop_on_interrupt();
  auto model = load_lung_model(arguments.lungs);
  if (!model) return train_exit(with_context(model.error(), arguments.lungs));
  const auto finder = make_lung_finder(arguments.lungs, *model, {.threads = arguments.threads});
  if (!finder) return train_exit(with_context(finder.error(), arguments.lungs));
  const auto sources = find_sources(arguments);
  if (!sources) return train_exit(sources.error());

  // First the templates, which the facts need: fields are kept, films in eight bits.
  std::vector<Looked> all;
  std::vector<std::size_t> from;
  Progress progress("looking", sources->size());
  const bool complete = parallel_ordered(
      sources->size(), arguments.threads, 64,
      [&](std::size_t i) { return look_at((*sources)[i], i, **finder); },
      [&](std::size_t i, Result<Looked> looked) {
        progress.advance();
        if (!looked) {
          progress.clear();
          std::cerr << "left out: " << (*sources)[i].path.string() << ": " << looked.error().message << '\n';
          return;
        }
        all.push_back(std::move(*looked));
        from.push_back(i);
      },
      stop);
  progress.clear();
  if (!complete) return train_exit({ErrorCode::kCancelled, "stopped while looking at pictures"});

  LungGate gate;
  for (std::size_t folder = 0; folder < arguments.films.size(); ++folder) {
    FieldTemplate sum{};
    float count = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Source& source = (*sources)[from[i]];
      const auto aligned = align_field(all[i].pictures.front().second.field);
      if (!source.film || source.folder != folder || !aligned) continue;
      for (std::size_t cell = 0; cell < sum.size(); ++cell) sum[cell] += (*aligned)[cell];
      ++count;
    }
    for (float& value : sum) value /= std::max(count, 1.0F);
    gate.templates.push_back(sum);
  }

  std::vector<GateCase> films;
  std::vector<GateCase> others;
  std::size_t without_lungs = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (auto& [said, seen] : all[i].pictures) {
      const auto facts = field_facts(seen.film, seen.field, gate.templates);
      // Without any lung a picture is refused before the gate is asked.
      if (!facts) {
        ++without_lungs;
        continue;
      }
      said.facts = *facts;
      (said.family.empty() ? films : others).push_back(said);
    }
  }
  all.clear();
  std::cerr << films.size() << " films, " << others.size() << " other pictures, " << without_lungs
            << " more without any lung\n";
  if (films.empty() || others.empty())
    return train_exit({ErrorCode::kInvalidArgument, "a gate needs films and other pictures"});

  const GateQuality quality = judge_gate(gate, films, others, arguments.refuse);
  fit_gate(gate, films, others, arguments.refuse);
  model->gate = gate;
  model->about["gate_quality"] = quality_json(quality, films.size());
  const auto network = read_text(fs::path(arguments.lungs) / model->network.fp32.name);
  if (!network) return train_exit(with_context(network.error(), arguments.lungs));
  if (const auto written = write_lung_model(arguments.lungs, *model, {*network}); !written)
    return train_exit(written.error());

  std::cout << std::fixed << std::setprecision(2)
            << "films of patients not fitted on: " << 100 * quality.films_refused
            << " % refused\nrefused of pictures whose family was left out:\n"
            << std::setprecision(1);
  for (const auto& [kind, share] : quality.refused)
    std::cout << "  " << std::left << std::setw(24) << kind << std::right << std::setw(6)
              << quality.pictures.at(kind) << " pictures" << std::setw(8) << 100 * share << " %\n";
  std::cout << "gate written into " << (fs::path(arguments.lungs) / "lungs.json").string() << '\n';
  return 0;
}

}  // namespace

void add_gate(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<GateArguments>();
  CLI::App* command = app.add_subcommand("gate",
                                         "Fit the gate: by what the lung field of a picture is like, it "
                                         "refuses what is no upright frontal film");
  command
      ->add_option("--films", arguments->films,
                   "Folder with frontal films; give each kind (children, adults) a folder of its own")
      ->required();
  command
      ->add_option("--others", arguments->others,
                   "Folder with pictures that are no such films, or several with commas between: one family, "
                   "left out together when the gate is judged; may be repeated")
      ->required();
  command->add_option("--lungs", arguments->lungs, "Folder of the lung network; the gate is written into it")
      ->required();
  command->add_option("--refuse", arguments->refuse, "Share of films that it may refuse")
      ->check(CLI::Range(0.0, 0.5))
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "0: all cores")->capture_default_str();
  command->callback([arguments, &exit_code] { exit_code = gate(*arguments); });
}

}  // namespace xray
