#include "model/lungs.h"

#include <optional>
#include <system_error>

#include "common/file.h"
#include "model/field_reader.h"

namespace xray {
namespace {

constexpr const char* kFile = "lungs.json";
constexpr std::uint64_t kMaxBytes = 256U << 10U;

}  // namespace

nlohmann::ordered_json to_json(const LungModel& model) {
  nlohmann::ordered_json json = {{"network", to_json(model.network)}, {"input", to_json(model.input)}};
  for (const auto& [key, value] : model.about.items()) json[key] = value;
  return json;
}

Result<LungModel> lung_model_from_json(const nlohmann::ordered_json& json) {
  std::optional<Error> failure;
  const FieldReader fields(json, "lungs", failure);
  if (failure) return *failure;
  LungModel model;
  model.network = read_network(fields.object("network"));
  model.input = read_input(fields.object("input"));
  if (failure) return *failure;
  for (const auto& [key, value] : json.items())
    if (key != "network" && key != "input") model.about[key] = value;
  return model;
}

Result<Done> write_lung_model(const std::filesystem::path& directory, LungModel model,
                              const NetworkBytes& network) {
  describe_network(model.network, network);
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  if (auto written = write_network_files(directory, model.network, network); !written) return written;
  if (auto written = write_file(directory / kFile, to_json(model).dump(2) + "\n"); !written)
    return with_context(written.error(), kFile);
  return Done{};
}

Result<LungModel> load_lung_model(const std::filesystem::path& directory) {
  const auto text = read_text(directory / kFile, kMaxBytes);
  if (!text) return with_context(text.error(), (directory / kFile).string());
  const auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{ErrorCode::kBadModel, std::string(kFile) + ": is not JSON"};
  auto model = lung_model_from_json(json);
  if (!model) return model.error();
  if (auto checked = check_network_files(directory, model->network); !checked) return checked.error();
  return model;
}

}  // namespace xray
