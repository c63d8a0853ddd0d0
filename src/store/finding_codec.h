#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "diagnose/finding.h"

namespace xray {

/// A finding as the database keeps it. Unlike to_json(Finding), which is for
/// users, it carries the heat map's grid (rounded to 1e-4, finer than any colour)
/// and the percentages at full precision, so that the picture and the JSON can be
/// made again exactly, by later versions too.
std::string encode_finding(const Finding& finding);

/// The way back. kStorage where `text` is not what encode_finding writes, also
/// where numbers are out of range: what is returned can be shown and drawn.
Result<Finding> decode_finding(std::string_view text);

}  // namespace xray
