#pragma once

#include <string_view>

namespace xray {

/// Whether version `a` is older than `b`. A strict order of all texts:
/// - A version is split at its dots; a "v" before a digit in front is passed over. Part by part
///   from the left, numbers count as numbers ("1.10" is newer than "1.9", a missing part is 0), a
///   number is older than a text, and texts go by their bytes.
/// - What follows the first "-" makes a preview: "2.0.0-rc.1" is older than "2.0.0", and previews
///   of one version go by the same rule among each other.
/// - Versions that are equal so far ("1" and "1.0") go by their bytes.
bool is_older(std::string_view a, std::string_view b);

}  // namespace xray
