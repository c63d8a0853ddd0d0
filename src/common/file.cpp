#include "common/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>

#include "common/descriptor.h"

namespace xray {
namespace {

Error last_error(ErrorCode code, std::string_view doing) {
  return {code, std::string(doing) + ": " + std::generic_category().message(errno)};
}

template <typename Container>
Result<Container> read_all(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    if (missing) return Error{ErrorCode::kNotFound, "no such file"};
    return last_error(ErrorCode::kIo, "cannot be opened");
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return last_error(ErrorCode::kIo, "cannot be examined");
  if (S_ISDIR(info.st_mode)) return Error{ErrorCode::kIo, "is a directory"};
  const auto too_large = [&] {
    return Error{ErrorCode::kTooLarge, "larger than the limit of " + std::to_string(max_bytes) + " bytes"};
  };
  if (S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) > max_bytes) return too_large();

  // Pipes and growing files have no size to trust: read until the end, within the limit.
  Container content;
  content.resize(S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) + 1 : 65536);
  std::size_t filled = 0;
  for (;;) {
    if (filled == content.size()) content.resize(content.size() * 2);
    const ssize_t got = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_error(ErrorCode::kIo, "cannot be read");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled > max_bytes) return too_large();
  }
  content.resize(filled);
  return content;
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return read_all<Bytes>(path, max_bytes);
}

Result<std::string> read_text(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return read_all<std::string>(path, max_bytes);
}

Result<Done> write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  // A name of its own per writer, so that two writers of one path cannot mix.
  const std::filesystem::path temporary = path.string() + ".tmp" + std::to_string(std::random_device{}());
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.get() < 0) return last_error(ErrorCode::kIo, "cannot be written");
    std::size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t put = ::write(file.get(), bytes.data() + written, bytes.size() - written);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        const Error error = last_error(ErrorCode::kIo, "cannot be written");
        ::unlink(temporary.c_str());
        return error;
      }
      written += static_cast<std::size_t>(put);
    }
    if (::fsync(file.get()) != 0) {
      const Error error = last_error(ErrorCode::kIo, "cannot be written to the disk");
      ::unlink(temporary.c_str());
      return error;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const Error error = last_error(ErrorCode::kIo, "cannot be put in place");
    ::unlink(temporary.c_str());
    return error;
  }
  return Done{};
}

Result<Done> write_file(const std::filesystem::path& path, std::string_view text) {
  return write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

Result<std::filesystem::path> own_executable() {
  std::error_code failed;
  auto path = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) return Error{ErrorCode::kNotFound, "/proc cannot be read: " + failed.message()};
  return path;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("SHA-256 is not available");
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += kDigits[digest[i] >> 4U];
    hex += kDigits[digest[i] & 15U];
  }
  return hex;
}

}  // namespace xray
