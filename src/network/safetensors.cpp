#include "network/safetensors.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/file.h"

namespace xray {

Result<WeightArrays> read_safetensors(const std::filesystem::path& path) {
  constexpr std::uint64_t kMaxBytes = 1ULL << 30U;
  const Result<Bytes> file = read_file(path, kMaxBytes);
  if (!file) return with_context(file.error(), path.string());
  const auto damaged = [&](const std::string& why) {
    return Error{ErrorCode::kDamaged, path.string() + ": " + why};
  };
  const Bytes& bytes = *file;
  std::uint64_t header_size = 0;
  if (bytes.size() < sizeof header_size) return damaged("too short for a safetensors file");
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  if (header_size > bytes.size() - sizeof header_size) return damaged("the header goes beyond the file");
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof header_size;
  const std::span<const std::byte> data = std::span(bytes).subspan(sizeof header_size + header_size);

  const nlohmann::json header = nlohmann::json::parse(text, text + header_size, nullptr, false);
  if (!header.is_object()) return damaged("the header is not JSON");
  WeightArrays arrays;
  try {
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__" || entry.at("dtype") != "F32") continue;
      WeightArray array;
      array.shape = entry.at("shape").get<std::vector<std::int64_t>>();
      const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
      const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
      if (begin > end || end > data.size()) return damaged(name + " goes beyond the file");
      const std::int64_t count =
          std::accumulate(array.shape.begin(), array.shape.end(), std::int64_t{1}, std::multiplies<>());
      if (count < 0 || static_cast<std::uint64_t>(count) * sizeof(float) != end - begin)
        return damaged(name + " is not as large as its shape");
      array.values.resize(static_cast<std::size_t>(count));
      std::memcpy(array.values.data(), data.data() + begin, end - begin);
      arrays.emplace(name, std::move(array));
    }
  } catch (const nlohmann::json::exception& error) {
    return damaged(error.what());
  }
  return arrays;
}

}  // namespace xray
