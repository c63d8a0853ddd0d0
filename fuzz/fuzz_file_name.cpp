// What a client sends as a name: in a form, percent-encoded in a header or in a query.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.h"
#include "fuzz_target.h"
#include "serve/http/http_message.h"
#include "serve/http/upload.h"

namespace {

using namespace xray;
using fuzz::require;

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789aBcDeF";
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    out += {'%', kDigits[code / 16U], kDigits[code % 16U]};
  }
  return out;
}

bool is_control(char c) {
  return (c >= 0 && c < 0x20) || c == 0x7F;
}

/// Whether U+0080 to U+009F occur, controls of two bytes.
bool holds_wide_control(std::string_view utf8) {
  for (std::size_t at = utf8.find('\xC2'); at != std::string_view::npos; at = utf8.find('\xC2', at + 1)) {
    if (static_cast<unsigned char>(utf8[at + 1]) < 0xA0U) return true;
  }
  return false;
}

void check_clean(std::string_view name) {
  const std::string clean = clean_file_name(name);
  require(clean.size() <= 255);
  require(!nlohmann::json(clean).dump().empty());  // throws on what is no UTF-8
  require(clean.find_first_of("/\\") == std::string::npos);
  require(std::none_of(clean.begin(), clean.end(), is_control) && !holds_wide_control(clean));
  require(clean_file_name(clean) == clean);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::as_text(data, size);
  check_clean(input);
  const std::string decoded = percent_decoded(input);
  require(decoded.size() <= input.size());
  check_clean(decoded);
  check_clean(query_value(input, "name").value_or(""));

  const std::string encoded = percent_encode(input);
  require(percent_decoded(encoded) == input);
  require(query_value("a=1&name=" + encoded + "&name=2", "name") == input);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  return {
      to_bytes("C:\\films\\../R\xC3\xB6ntgen \xE9\xAA\xA8 \xF0\x9F\xA6\xB4.png"),
      to_bytes("a=1&name=b+c%2Epng%C3%B6&name=%00%"),
      to_bytes("\xC2\x9B"
               "31m\x1B[0m\xED\xA0\x80\xC0\x80"),
      to_bytes(std::string(254, 'a') + "\xC3\xB6"),
  };
}
