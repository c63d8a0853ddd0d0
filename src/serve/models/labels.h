#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/result.h"

namespace xray {

/// The version that answers where nobody asked for another.
inline constexpr std::string_view kStableLabel = "stable";
/// The version that answers its share of the findings on trial.
inline constexpr std::string_view kCanaryLabel = "canary";

/// Names for versions: of a model by name, the version by label.
using Labels = std::map<std::string, std::map<std::string, std::string, std::less<>>, std::less<>>;

/// Largest labels.json that is read, in bytes.
inline constexpr std::size_t kMaxLabelBytes = 64U << 10U;

/// Reads {"pediatric": {"stable": "2.1.0", "canary": "2.2.0"}}. A label is a lower-case letter and
/// up to 31 more letters, digits, "-" and "_"; a model has at most 16; versions and names of models
/// are not empty. kInvalidArgument names what is wrong: anything else, and a key given twice.
Result<Labels> parse_labels(std::string_view text);

}  // namespace xray
