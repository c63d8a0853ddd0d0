#include <system_error>
#include <utility>

#include "common/file.h"
#include "model/card.h"

namespace xray {
namespace {

constexpr const char* kCardFile = "card.json";
constexpr std::uint64_t kMaxCardBytes = 256U << 10U;

}  // namespace

Result<ModelCard> load_card(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored))
    return Error{ErrorCode::kNotFound, "no such model package (a folder with a card.json)"};
  const auto text = read_text(directory / kCardFile, kMaxCardBytes);
  if (!text) return with_context({ErrorCode::kBadModel, text.error().message}, kCardFile);

  const auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{ErrorCode::kBadModel, "card.json: is not JSON"};
  return card_from_json(json);
}

Result<ModelPackage> load_package(const std::filesystem::path& directory) {
  auto card = load_card(directory);
  if (!card) return card.error();

  ModelPackage package{directory, std::move(*card)};
  if (auto checked = check_network_files(directory, package.card.network); !checked) return checked.error();
  if (const auto& lungs = package.card.lungs; lungs)
    if (auto checked = check_network_files(directory, lungs->network); !checked) return checked.error();
  return package;
}

Result<Done> write_package(const std::filesystem::path& directory, ModelCard card,
                           const NetworkBytes& network, const NetworkBytes& lungs) {
  describe_network(card.network, network);
  if (card.lungs) describe_network(card.lungs->network, lungs);
  const auto json = to_json(card);
  if (const auto readable = card_from_json(json); !readable) return readable.error();

  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  if (auto written = write_network_files(directory, card.network, network); !written) return written;
  if (card.lungs)
    if (auto written = write_network_files(directory, card.lungs->network, lungs); !written) return written;
  if (auto written = write_file(directory / kCardFile, json.dump(2) + "\n"); !written)
    return with_context(written.error(), kCardFile);
  return Done{};
}

}  // namespace xray
