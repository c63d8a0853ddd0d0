#include "auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <stdexcept>

namespace xray {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string make_secret() {
  std::array<unsigned char, 32> bits{};
  if (RAND_bytes(bits.data(), bits.size()) != 1)
    throw std::runtime_error("the system gives no random numbers");
  return encode_base64url(std::as_bytes(std::span(bits)));
}

std::string hash_secret(std::string_view secret) {
  return sha256_hex(std::as_bytes(std::span(secret)));
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string encode_base64url(std::span<const std::byte> bytes) {
  std::string text;
  unsigned buffer = 0;
  unsigned bits = 0;
  for (const std::byte byte : bytes) {
    buffer = (buffer << 8U | std::to_integer<unsigned>(byte)) & 0xFFFFU;
    for (bits += 8; bits >= 6; bits -= 6) text += kLetters[(buffer >> (bits - 6)) & 63U];
  }
  if (bits > 0) text += kLetters[(buffer << (6 - bits)) & 63U];
  return text;
}

std::optional<Bytes> decode_base64url(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() * 3 / 4);
  unsigned buffer = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const std::size_t value = kLetters.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    buffer = (buffer << 6U | static_cast<unsigned>(value)) & 0xFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::byte>(buffer >> bits));
  }
  // What is left over are zeros, less than a letter of them.
  if (bits >= 6 || (buffer & ((1U << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

Bytes sha256(std::string_view text) {
  Bytes digest(32);
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest.data()), &size,
                 EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("no SHA-256");
  return digest;
}

}  // namespace xray
