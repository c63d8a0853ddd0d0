#pragma once

#include <string>

#include "common/result.h"

namespace xray {

/// Puts what base64 `text` stands for (RFC 4648, section 4; the padding may be left out) in its
/// place. kInvalidArgument, and `text` is as it was, where it is anything else.
Result<Done> decode_base64(std::string& text);

}  // namespace xray
