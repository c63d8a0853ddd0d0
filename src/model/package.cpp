#include <system_error>
#include <utility>

#include "common/file.h"
#include "model/card.h"

namespace xray {
namespace {

constexpr const char* kCardFile = "card.json";
constexpr const char* kInt8File = "network.int8.onnx";
constexpr std::uint64_t kMaxCardBytes = 256U << 10U;
constexpr std::uint64_t kMaxNetworkBytes = 2ULL << 30U;

Result<Done> check_file(const std::filesystem::path& directory, const PackageFile& file) {
  const auto bytes = read_file(directory / file.name, kMaxNetworkBytes);
  if (!bytes) return with_context({ErrorCode::kBadModel, bytes.error().message}, file.name);
  if (sha256_hex(*bytes) != file.sha256)
    return Error{ErrorCode::kBadModel,
                 file.name + ": is not the network this card was written for (SHA-256 differs)"};
  return Done{};
}

std::string sha256_of(std::string_view bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

}  // namespace

Result<std::filesystem::path> ModelPackage::network_path(std::optional<Precision> precision) const {
  const NetworkFiles& network = card.network;
  if (precision.value_or(Precision::kInt8) == Precision::kInt8) {
    if (network.int8) return directory / network.int8->name;
    if (precision) return Error{ErrorCode::kNotFound, "the package holds no network in 8 bit"};
  }
  return directory / network.fp32.name;
}

Result<ModelPackage> load_package(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored))
    return Error{ErrorCode::kNotFound, "no such model package (a folder with a card.json)"};
  const auto text = read_text(directory / kCardFile, kMaxCardBytes);
  if (!text) return with_context({ErrorCode::kBadModel, text.error().message}, kCardFile);

  const auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{ErrorCode::kBadModel, "card.json: is not JSON"};
  auto card = card_from_json(json);
  if (!card) return card.error();

  ModelPackage package{directory, std::move(*card)};
  const NetworkFiles& network = package.card.network;
  if (auto checked = check_file(directory, network.fp32); !checked) return checked.error();
  if (network.int8)
    if (auto checked = check_file(directory, *network.int8); !checked) return checked.error();
  return package;
}

Result<Done> write_package(const std::filesystem::path& directory, ModelCard card,
                           std::string_view network_bytes, std::string_view int8_bytes) {
  card.network.fp32.sha256 = sha256_of(network_bytes);
  card.network.int8.reset();
  if (!int8_bytes.empty()) card.network.int8 = {kInt8File, sha256_of(int8_bytes)};
  const auto json = to_json(card);
  if (const auto readable = card_from_json(json); !readable) return readable.error();

  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  const auto write = [&](const PackageFile& file, std::string_view bytes) -> Result<Done> {
    if (auto written = write_file(directory / file.name, bytes); !written)
      return with_context(written.error(), file.name);
    return Done{};
  };
  if (auto written = write(card.network.fp32, network_bytes); !written) return written;
  if (card.network.int8)
    if (auto written = write(*card.network.int8, int8_bytes); !written) return written;
  if (auto written = write_file(directory / kCardFile, json.dump(2) + "\n"); !written)
    return with_context(written.error(), kCardFile);
  return Done{};
}

}  // namespace xray
