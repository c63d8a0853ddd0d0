#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/file.h"

namespace xray {

/// 256 random bits of the system's, as 43 letters of base64url: sessions, tokens, states.
std::string make_secret();

/// As which a secret is kept: its SHA-256 in hexadecimal. What has 256 random bits needs no slower hash.
std::string hash_secret(std::string_view secret);

/// Whether two texts are the same, in a time that depends on their lengths alone.
bool same_secret(std::string_view a, std::string_view b);

/// RFC 4648, section 5, without padding.
std::string encode_base64url(std::span<const std::byte> bytes);
/// Nothing where `text` is not what encode_base64url() writes.
std::optional<Bytes> decode_base64url(std::string_view text);

/// SHA-256, as bytes.
Bytes sha256(std::string_view text);

}  // namespace xray
