#include "cli/model_import.h"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/model_pin.h"
#include "cli/new_folder.h"
#include "cli/options.h"
#include "common/file.h"
#include "common/guarded.h"
#include "import/foreign_network.h"
#include "import/import_card.h"
#include "import/source.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxCardBytes = 256U << 10U;

struct ImportOptions {
  std::string source;
  std::string card;
  std::string out;
  bool describe = false;
  int seconds = 300;
};

/// The foreign network, the messages of its failures with its name in front.
Result<std::pair<Source, ForeignNetwork>> open_source(const std::string& path) {
  auto source = find_source(path);
  if (!source) return with_context(source.error(), path);
  auto network = ForeignNetwork::read(*source);
  if (!network) return with_context(network.error(), path);
  return std::pair{std::move(*source), std::move(*network)};
}

int describe(const ImportOptions& options) {
  const auto opened = open_source(options.source);
  if (!opened) return fail(opened.error().message);
  // The card alone on standard output, to be written into a file.
  std::cerr << opened->second.describe();
  std::cout << opened->second.template_card().dump(2) << "\n";
  return std::cout.flush() ? kExitOk : fail("standard output cannot be written");
}

/// Name of what was imported, without the folders that it lay in.
std::string last_name(const fs::path& path) {
  const fs::path plain = fs::absolute(path).lexically_normal();
  return (plain.has_filename() ? plain : plain.parent_path()).filename().string();
}

/// Writes the package into the new folder `out`.
Result<Done> import_into(const fs::path& out, const ImportOptions& options) {
  const auto text = read_text(options.card, kMaxCardBytes);
  if (!text) return with_context(text.error(), options.card);
  const auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{ErrorCode::kBadModel, options.card + ": is not JSON"};
  auto card = import_card_from_json(json);
  if (!card) return with_context(card.error(), options.card);
  auto opened = open_source(options.source);
  if (!opened) return opened.error();
  const auto network = opened->second.adapt(*card);
  if (!network) return with_context(network.error(), options.source);
  const Source& source = opened->first;
  card->card.imported = {last_name(source.path), name(source.format), source.sha256};
  card->card.network.fp32.name = "network.xml";
  if (auto written = write_package(out, card->card, {.fp32 = network->graph, .weights = network->weights});
      !written)
    return with_context(written.error(), options.out);
  const auto diagnoser = make_diagnoser(out);
  if (!diagnoser) return with_context(diagnoser.error(), options.source);
  if (auto checked = (*diagnoser)->self_check(); !checked)
    return with_context(checked.error(), options.source);
  if (auto pinned = pin_package(out.string()); !pinned) return pinned;
  std::cout << fmt::format(
      "{} is {} now, from {} ({})\n"
      "Neither does it look whether a picture is a chest film at all, nor for the lungs: the answer to any\n"
      "picture is normal or pneumonia. Measure it before it is used: xray evaluate FOLDER --model {}\n",
      options.out, card->card.id(), last_name(source.path), name(source.format), options.out);
  return Done{};
}

int run_import(const ImportOptions& options) {
  const GuardLimits limits{.time = std::chrono::seconds(options.seconds)};
  const auto told = [&](const Result<int>& guarded, const std::string& about) {
    if (guarded) return *guarded;
    const ErrorCode code = guarded.error().code;
    return fail(about + ": " + guarded.error().message,
                code == ErrorCode::kCancelled ? kExitInterrupted : kExitSomeFailed);
  };
  if (options.describe) return told(run_guarded(limits, [&] { return describe(options); }), options.source);
  if (options.card.empty() || options.out.empty())
    return fail("--card and --out are needed (or --describe, which prints a card to fill in)", kExitUsage);
  if (!is_free(options.out)) return fail(options.out + ": is there already; name a new folder", kExitUsage);

  const auto made = make_folder(options.out, [&](const fs::path& scratch) {
    return told(run_guarded(limits,
                            [&] {
                              const auto done = import_into(scratch, options);
                              return done ? kExitOk : fail(done.error().message);
                            }),
                options.source);
  });
  return made ? *made : fail(options.out + ": " + made.error().message);
}

}  // namespace

void add_model_import(CLI::App& group, int& exit_code) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App* command =
      group.add_subcommand("import", "Take in a network that TensorFlow, Keras or others trained");
  command->footer(
      "SOURCE is the folder of a TensorFlow SavedModel, a frozen graph (.pb), TensorFlow Lite (.tflite),\n"
      "ONNX (.onnx) or OpenVINO IR (.xml, with its .bin beside it). Keras writes such a folder with\n"
      "  keras.models.load_model(\"mine.keras\").export(\"mine\")\n"
      "What a network cannot tell of itself stands in the card: which pictures it was trained on and what\n"
      "its answers mean. --describe prints what the graph tells, and a card to fill in. Card and graph\n"
      "have to agree. The package that is written is evaluated, served and explained like any other.\n"
      "The file is read in a process of its own, with 8 GiB of memory and --seconds of time.\n"
      "docs/from-keras.md goes through it step by step.\n"
      "\n"
      "Example:\n"
      "  xray model import mine --describe > mine.json\n"
      "  xray model import mine --card mine.json --out models/mine\n"
      "  xray evaluate chest_xray/test --model models/mine\n"
      "\n"
      "Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.");
  command->add_option("source", options->source, "The network: a file, or a SavedModel's folder")->required();
  command->add_flag("--describe", options->describe,
                    "Only print what the graph tells, and a card to fill in");
  command->add_option("--card", options->card, "JSON that tells what the graph does not")->type_name("FILE");
  command->add_option("--out", options->out, "New folder for the package")->type_name("DIR");
  command->add_option("--seconds", options->seconds, "How long it may take (default: 300)")
      ->type_name("N")
      ->check(CLI::Range(1, 86'400));
  command->callback([options, &exit_code] { exit_code = run_import(*options); });
}

}  // namespace xray
