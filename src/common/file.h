#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace xray {

using Bytes = std::vector<std::byte>;

/// The whole file. kNotFound; kTooLarge above `max_bytes` (told before reading);
/// kIo for everything else (a directory, no permission, a read error).
Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t max_bytes = UINT64_MAX);

/// The whole file as text, with the same failures.
Result<std::string> read_text(const std::filesystem::path& path, std::uint64_t max_bytes = UINT64_MAX);

/// Writes beside `path`, syncs, and renames over it, so that a reader (or a
/// crash) sees the old file or the new one, never half of one. kIo.
Result<Done> write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);
Result<Done> write_file(const std::filesystem::path& path, std::string_view text);

/// This program's own file, of whatever name it was called by. kNotFound where /proc cannot be read.
Result<std::filesystem::path> own_executable();

/// SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace xray
