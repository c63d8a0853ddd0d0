#include "model/network_files.h"

#include <span>
#include <stdexcept>
#include <system_error>

#include "common/file.h"

namespace xray {
namespace {

constexpr std::uint64_t kMaxNetworkBytes = 2ULL << 30U;
constexpr std::uint64_t kMaxCardBytes = 256U << 10U;

Result<Done> check(const std::filesystem::path& directory, const PackageFile& file) {
  const auto bytes = read_file(directory / file.name, kMaxNetworkBytes);
  if (!bytes) return with_context({ErrorCode::kBadModel, bytes.error().message}, file.name);
  if (sha256_hex(*bytes) != file.sha256)
    return Error{ErrorCode::kBadModel,
                 file.name + ": is not the network this card was written for (SHA-256 differs)"};
  return Done{};
}

Result<Done> write(const std::filesystem::path& directory, const PackageFile& file, std::string_view bytes) {
  if (auto written = write_file(directory / file.name, bytes); !written)
    return with_context(written.error(), file.name);
  return Done{};
}

std::string sha256_of(std::string_view bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

}  // namespace

const char* name(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kInt8:
      return "int8";
  }
  throw std::logic_error("no such precision");
}

Result<std::string> NetworkFiles::file(std::optional<Precision> precision) const {
  if (precision.value_or(Precision::kInt8) == Precision::kInt8) {
    if (int8) return int8->name;
    if (precision) return Error{ErrorCode::kNotFound, "the package holds no network in 8 bit"};
  }
  return fp32.name;
}

Result<Done> check_network_files(const std::filesystem::path& directory, const NetworkFiles& network) {
  if (auto checked = check(directory, network.fp32); !checked) return checked;
  if (network.weights)
    if (auto checked = check(directory, *network.weights); !checked) return checked;
  return network.int8 ? check(directory, *network.int8) : Result<Done>(Done{});
}

void describe_network(NetworkFiles& network, const NetworkBytes& bytes) {
  network.fp32.sha256 = sha256_of(bytes.fp32);
  network.int8.reset();
  network.weights.reset();
  const std::filesystem::path file = network.fp32.name;
  if (!bytes.weights.empty()) network.weights = {file.stem().string() + ".bin", sha256_of(bytes.weights)};
  if (!bytes.int8.empty())
    network.int8 = {file.stem().string() + ".int8" + file.extension().string(), sha256_of(bytes.int8)};
}

Result<Done> write_network_files(const std::filesystem::path& directory, const NetworkFiles& network,
                                 const NetworkBytes& bytes) {
  if (network.weights)
    if (auto written = write(directory, *network.weights, bytes.weights); !written) return written;
  if (auto written = write(directory, network.fp32, bytes.fp32); !written) return written;
  return network.int8 ? write(directory, *network.int8, bytes.int8) : Result<Done>(Done{});
}

Result<Done> write_part(const std::filesystem::path& directory, const char* card,
                        const nlohmann::ordered_json& json, const NetworkFiles& network,
                        const NetworkBytes& bytes) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{ErrorCode::kIo, "cannot be made: " + failure.message()};
  if (auto written = write_network_files(directory, network, bytes); !written) return written;
  if (auto written = write_file(directory / card, json.dump(2) + "\n"); !written)
    return with_context(written.error(), card);
  return Done{};
}

Result<nlohmann::ordered_json> read_part(const std::filesystem::path& directory, const char* card) {
  const auto text = read_text(directory / card, kMaxCardBytes);
  if (!text) return with_context(text.error(), (directory / card).string());
  auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Error{ErrorCode::kBadModel, std::string(card) + ": is not JSON"};
  return json;
}

}  // namespace xray
