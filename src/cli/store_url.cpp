#include "cli/store_url.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace xray {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing else runs yet
  return value != nullptr ? value : "";
}

/// RFC 3986, section 2.1.
std::string percent_encoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    std::array<char, 4> escape{};
    std::snprintf(escape.data(), escape.size(), "%%%02X",
                  static_cast<unsigned>(static_cast<unsigned char>(c)));
    encoded += plain ? std::string(1, c) : std::string(escape.data());
  }
  return encoded;
}

}  // namespace

Result<std::string> store_url(const std::string& given) {
  if (!given.empty()) return given;
  if (std::string url = environment("DATABASE_URL"); !url.empty()) return url;
  const std::string host = environment("RDS_HOSTNAME");
  if (host.empty()) return std::string("sqlite:xray.sqlite");
  std::array<std::string, 4> parts;
  constexpr std::array kNames = {"RDS_USERNAME", "RDS_PASSWORD", "RDS_PORT", "RDS_DB_NAME"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    parts[i] = percent_encoded(environment(kNames[i]));
    if (parts[i].empty())
      return Error{ErrorCode::kInvalidArgument, std::string("$RDS_HOSTNAME is set, but not $") + kNames[i]};
  }
  const auto& [user, password, port, name] = parts;
  return "postgresql://" + user + ":" + password + "@" + host + ":" + port + "/" + name;
}

}  // namespace xray
