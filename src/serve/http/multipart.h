#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace xray {

/// One part of a form.
struct Part {
  std::string name;                      ///< of the form's field
  std::optional<std::string> file_name;  ///< where the part is a file; as sent, for people only
  std::string content_type;              ///< as sent; empty without one
  std::span<const std::byte> body;       ///< inside the bytes that were parsed
};

/// The boundary of "multipart/form-data; boundary=...", quoted or not, 1 to 70
/// characters (RFC 2046, section 5.1.1). kInvalidArgument.
Result<std::string> multipart_boundary(std::string_view content_type);

/// The parts of a multipart/form-data body (RFC 7578), in time linear in its
/// size; nothing of the parts' bodies is copied. kInvalidArgument for anything
/// malformed or truncated, for more than 100 parts and heads above 8 KiB.
Result<std::vector<Part>> parse_multipart(std::span<const std::byte> body, std::string_view boundary);

}  // namespace xray
