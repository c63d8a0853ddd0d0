#include "cli/model_export.h"

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/new_folder.h"
#include "cli/options.h"
#include "common/file.h"
#include "import/ir.h"
#include "model/card.h"
#include "model/severity.h"

namespace xray {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct ExportOptions {
  std::string package;
  std::string to = "onnx";
  std::string out;
  std::optional<Precision> precision = Precision::kFp32;
};

/// A network of a package.
struct Part {
  const char* role;
  const char* name;  ///< of its file in the exported folder, without an ending
  fs::path folder;
  NetworkFiles network;
  InputSpec input;
};

/// How a picture becomes the network's input, step by step, for whoever has to do it elsewhere.
Json steps_of(const InputSpec& input, bool looks_for_lungs) {
  Json steps = {"decode to gray levels 0..255, colour as luma after ITU-R BT.601; the picture upright"};
  const std::string size = fmt::format("{} x {} pixels (width x height)", input.width, input.height);
  constexpr const char* kFilter =
      "a triangle filter as wide as the reduction (Pillow's BILINEAR), aspect ratio not kept";
  if (input.framing == Framing::kLungs) {
    steps.push_back(
        fmt::format("resize the whole picture to {0} x {0} pixels with {1}, round to whole gray levels",
                    kFilmSide, kFilter));
    steps.push_back("find the lungs with the network 'lungs': cells whose log-odds are above 0");
    steps.push_back(fmt::format(
        "crop to the box of the lungs and {} of its size on each side, cut at the rim", input.margin));
    steps.push_back(input.tone == Tone::kEqualise
                        ? "equalise the gray levels by those inside the lungs"
                        : "stretch the gray levels by the 1st and 99th percentile inside the lungs");
    steps.push_back(fmt::format("resize to {} with the same filter", size));
  } else if (looks_for_lungs) {
    steps.push_back(fmt::format("resize the whole picture to {} with {}", size, kFilter));
  } else {
    const char* const filter = input.interpolation == Interpolation::kAntialiased ? kFilter
                               : input.interpolation == Interpolation::kBilinear
                                   ? "the four pixels around each point (bilinear, not antialiased)"
                                   : "the nearest pixel";
    steps.push_back(
        fmt::format("{} and resize it to {} with {}",
                    input.fit == Fit::kCrop  ? "cut the middle of the input's shape out of the picture"
                    : input.fit == Fit::kPad ? "lay black bars around the picture to the input's shape"
                                             : "take the whole picture",
                    size, filter));
  }
  steps.push_back(input.normalisation == Normalisation::kFixed
                      ? fmt::format("(gray level - {}) / {}", input.mean, input.scale)
                      : "(gray level - mean of the input) / (its standard deviation, at least 1)");
  return steps;
}

Result<std::vector<Part>> parts_of(const ModelPackage& package) {
  const ModelCard& card = package.card;
  std::vector<Part> parts = {{"classifier", "network", package.directory, card.network, card.input}};
  if (const auto& lungs = card.lungs; lungs)
    parts.push_back({"lungs", "lungs", package.directory, lungs->network, lungs->input});
  auto severity = find_severity_model(package.directory);
  if (!severity) return severity.error();
  if (const auto& found = *severity; found)
    parts.push_back(
        {"opacity", "opacity", package.directory / kSeverityFolder, found->network, found->input});
  return parts;
}

/// Writes one network; the name of its file.
Result<std::string> export_part(const Part& part, const ExportOptions& options, const fs::path& out) {
  const auto file = part.network.file(options.precision);
  if (!file) return file.error();
  const auto write = [&](const char* ending, std::string_view bytes) -> Result<std::string> {
    const std::string name = std::string(part.name) + ending;
    if (auto written = write_file(out / name, bytes); !written) return with_context(written.error(), name);
    return name;
  };
  if (options.to == "openvino") {
    const auto network = read_as_ir(part.folder / *file);
    if (!network) return network.error();
    if (auto written = write(".bin", network->weights); !written) return written;
    return write(".xml", network->graph);
  }
  if (part.network.weights)
    return Error{
        ErrorCode::kUnsupported,
        "this network was imported and is kept as OpenVINO IR, of which no ONNX can be made; convert "
        "what it was imported from"};
  const auto network = read_text(part.folder / *file);
  if (!network) return network.error();
  return write(".onnx", *network);
}

Result<Done> export_into(const fs::path& out, const ModelPackage& package, const ExportOptions& options) {
  const auto parts = parts_of(package);
  if (!parts) return parts.error();
  std::error_code failure;
  fs::create_directories(out, failure);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  const ModelCard& card = package.card;
  Json json = {{"model", card.id()}, {"networks", Json::array()}};
  for (const Part& part : *parts) {
    const auto file = export_part(part, options, out);
    if (!file) return file.error();
    const auto ports = ports_of(out / *file);
    if (!ports) return ports.error();
    Json entry = {{"role", part.role}, {"file", *file}};
    entry.update(*ports);
    entry["preprocessing"] = steps_of(part.input, part.role == std::string_view("lungs"));
    json["networks"].push_back(std::move(entry));
  }
  const Json whole = to_json(card);
  for (const char* key : {"classes", "calibration", "threshold", "undecided"})
    if (whole.contains(key)) json[key] = whole[key];
  json["percentages"] =
      "logits / temperature, softmax; the log-odds of everything but normal * slope + intercept, sigmoid";
  if (card.about.contains("licence")) json["licence"] = card.about["licence"];
  return write_file(out / "preprocessing.json", json.dump(2) + "\n");
}

int run_export(const ExportOptions& options) {
  if (!is_free(options.out)) return fail(options.out + ": is there already; name a new folder", kExitUsage);
  const auto package = load_package(options.package);
  if (!package) return fail(options.package + ": " + package.error().message);
  const auto made = make_folder(options.out, [&](const fs::path& scratch) {
    const auto done = export_into(scratch, *package, options);
    return done ? kExitOk : fail(options.package + ": " + done.error().message);
  });
  if (!made) return fail(options.out + ": " + made.error().message);
  if (*made == kExitOk)
    std::cout << fmt::format("{}: the networks of {}, and what to feed them with in preprocessing.json\n",
                             options.out, package->card.id());
  return std::cout.flush() ? *made : fail("standard output cannot be written");
}

}  // namespace

void add_model_export(CLI::App& group, int& exit_code) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = group.add_subcommand("export", "Hand the networks of a package to other programs");
  command->footer(
      "Writes each network of the package as ONNX or OpenVINO IR, and preprocessing.json: names and shapes "
      "of\n"
      "inputs and outputs, how a picture becomes an input, and how logits become percentages. The gate\n"
      "and the zones of the lungs are no networks, and stay here.\n"
      "TensorFlow makes its own forms of the ONNX: scripts/export-tensorflow, in the source tree.\n"
      "\n"
      "Example:\n"
      "  xray model export models/mine --to onnx --out mine-onnx\n"
      "  scripts/export-tensorflow mine-onnx --to tflite --out mine-tflite\n"
      "\n"
      "Exit code: 0 done, 1 failed, 2 wrong usage.");
  command->add_option("package", options->package, "Model package")->required();
  command->add_option("--to", options->to, "onnx or openvino (default: onnx)")
      ->type_name("FORM")
      ->check(CLI::IsMember({"onnx", "openvino"}));
  command->add_option("--out", options->out, "New folder")->type_name("DIR")->required();
  command->add_option("--precision", options->precision, "fp32 or int8 (default: fp32)")
      ->type_name("KIND")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Precision>{{"fp32", Precision::kFp32}, {"int8", Precision::kInt8}}));
  command->callback([options, &exit_code] { exit_code = run_export(*options); });
}

}  // namespace xray
