#include <system_error>
#include <utility>

#include "common/file.h"
#include "model/card.h"
#include "model/field_reader.h"

namespace xray {
namespace {

constexpr const char* kCardFile = "card.json";
constexpr std::uint64_t kMaxCardBytes = 256U << 10U;

}  // namespace

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
  if (auto checked = check_network_file(package.network_path(), package.card.network_sha256); !checked)
    return checked.error();
  if (const auto& lungs = package.card.lungs; lungs) {
    if (auto checked = check_network_file(directory / lungs->network_file, lungs->network_sha256); !checked)
      return checked.error();
  }
  return package;
}

Result<Done> write_package(const std::filesystem::path& directory, ModelCard card,
                           std::string_view network_bytes, std::string_view lung_network_bytes) {
  card.network_sha256 = sha256_hex(std::as_bytes(std::span(network_bytes)));
  if (card.lungs) card.lungs->network_sha256 = sha256_hex(std::as_bytes(std::span(lung_network_bytes)));
  const auto json = to_json(card);
  if (const auto readable = card_from_json(json); !readable) return readable.error();

  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  if (auto written = write_file(directory / card.network_file, network_bytes); !written)
    return with_context(written.error(), card.network_file);
  if (card.lungs) {
    if (auto written = write_file(directory / card.lungs->network_file, lung_network_bytes); !written)
      return with_context(written.error(), card.lungs->network_file);
  }
  if (auto written = write_file(directory / kCardFile, json.dump(2) + "\n"); !written)
    return with_context(written.error(), kCardFile);
  return Done{};
}

}  // namespace xray
