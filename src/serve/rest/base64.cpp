#include "serve/rest/base64.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace xray {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 64;

constexpr std::array<std::uint8_t, 256> values() {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNone);
  for (std::size_t i = 0; i < kDigits.size(); ++i)
    table[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  return table;
}
constexpr std::array<std::uint8_t, 256> kValues = values();

std::uint32_t value_of(char digit) {
  return kValues[static_cast<unsigned char>(digit)];
}

}  // namespace

Result<Done> decode_base64(std::string& text) {
  std::size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  const bool padded = digits != text.size();
  bool good = digits % 4 != 1 && (!padded || text.size() % 4 == 0);
  for (std::size_t i = 0; good && i < digits; ++i) good = value_of(text[i]) != kNone;
  // Bits that stand for nothing are 0, so that every text has one meaning.
  const std::size_t rest = digits % 4;
  if (good && rest != 0) good = (value_of(text[digits - 1]) & (rest == 2 ? 0xFU : 0x3U)) == 0;
  if (!good) return Error{ErrorCode::kInvalidArgument, "this is no base64"};

  std::size_t out = 0;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    bits = bits << 6U | value_of(text[i]);
    if (i % 4 != 0) text[out++] = static_cast<char>(bits >> (6 - 2 * (i % 4)) & 0xFFU);
  }
  text.resize(out);
  return Done{};
}

}  // namespace xray
