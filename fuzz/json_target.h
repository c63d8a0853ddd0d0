#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/result.h"
#include "fuzz_target.h"

namespace xray::fuzz {

/// What `read` makes of the input's JSON; nothing where it is none, or is refused, which has to be with
/// kBadModel and a reason. What is taken has to come back the same once written by to_json() and read again.
template <typename Read>
auto read_and_write(const std::uint8_t* data, std::size_t size, const Read& read) {
  using Json = nlohmann::ordered_json;
  using Value = std::remove_cvref_t<decltype(read(Json()).value())>;
  const auto parse = [](std::string_view text) {
    return Json::parse(text, nullptr, /*allow_exceptions=*/false);
  };
  std::optional<Value> taken;
  const Json json = parse(as_text(data, size));
  if (json.is_discarded()) return taken;
  auto value = read(json);
  if (!value) {
    require(value.error().code == ErrorCode::kBadModel && !value.error().message.empty());
    return taken;
  }
  const std::string written = to_json(*value).dump();
  const auto again = read(parse(written));
  require(again.ok());
  require(to_json(*again).dump() == written);
  taken = std::move(*value);
  return taken;
}

}  // namespace xray::fuzz
